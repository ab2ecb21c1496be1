# shellcheck shell=bash
# Secrets of a local footprint, made once and kept until `down --clean`. Everything is readable by its owner alone.
#   keys/private.jwks  signs players' tokens (ES256); whoever has it can be any player: tests and the load generator use it
#   keys/guest.jwks    the edges sign guests' tokens with it (EdDSA)
#   keys/public.jwks   what the edges accept: both public halves
#   tls/               own authority, certificate for localhost (P-256), ticket keys shared by the edges
#   tls/mesh/          authority and certificates of the links between regions; regions that see each other share this folder

keys_make() { # BUILD FOLDER
    local tool=$1/infra/platform/tools/meridian-keys dir=$state/keys
    [ ! -s "$dir/public.jwks" ] || [ ! -s "$dir/private.jwks" ] || [ ! -s "$dir/guest.jwks" ] || return 0
    rm -f "$dir"/*
    "$tool" ES256 local "$dir/private.jwks" "$dir/public.jwks" && "$tool" EdDSA guest "$dir/guest.jwks" "$dir/public.jwks"
}

# Two ticket keys: the first encrypts, both decrypt (80 random bytes each).
tickets_make() {
    [ -s "$state/tls/tickets" ] || (umask 077 && { openssl rand -hex 80 && openssl rand -hex 80; } >"$state/tls/tickets")
}

# Of all regions that share it, or of the one address there is.
tls_addresses=()
tls_extensions() {
    [ ${#tls_addresses[@]} -gt 0 ] || tls_addresses=("$address")
    printf 'subjectAltName=DNS:localhost%s,IP:::1\nextendedKeyUsage=serverAuth\nkeyUsage=digitalSignature\n' "$(printf ',IP:%s' "${tls_addresses[@]}")"
}

tls_make() {
    local dir=$state/tls
    tickets_make || return 1
    [ ! -s "$dir/server.crt" ] || return 0
    (
        umask 077
        openssl ecparam -name prime256v1 -genkey -noout -out "$dir/ca.key" &&
            openssl req -x509 -new -key "$dir/ca.key" -days 3650 -subj "/CN=Meridian local authority" \
                -addext "basicConstraints=critical,CA:TRUE,pathlen:0" -addext "keyUsage=critical,keyCertSign,cRLSign" -out "$dir/ca.crt" &&
            openssl ecparam -name prime256v1 -genkey -noout -out "$dir/server.key" &&
            openssl req -new -key "$dir/server.key" -subj "/CN=localhost" -out "$dir/server.csr" &&
            openssl x509 -req -in "$dir/server.csr" -CA "$dir/ca.crt" -CAkey "$dir/ca.key" -set_serial "0x$(openssl rand -hex 8)" \
                -days 825 -sha256 -extfile <(tls_extensions) -out "$dir/server.crt" &&
            rm "$dir/server.csr"
    ) >"$state/log/tls.log" 2>&1 || { tail -n 5 "$state/log/tls.log" >&2; return 1; }
}

mesh_certificates_make() {
    local dir=$state/tls/mesh
    mkdir -p "$dir" || return 1
    ( # regions may start side by side
        flock 9 || exit 1
        [ -s "$dir/ca.crt" ] || "$here/../host/certificates" make ca --dir "$dir" || exit 1
        [ -s "$dir/router-$region.crt" ] || "$here/../host/certificates" make router "$region" --dir "$dir" --days 825
    ) 9>"$dir/.lock"
}
