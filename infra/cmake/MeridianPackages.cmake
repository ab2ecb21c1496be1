# Everything comes from Debian's packages (infra/local/packages names them).
find_package(PkgConfig REQUIRED)
pkg_check_modules(UV REQUIRED IMPORTED_TARGET libuv)
pkg_check_modules(H2O REQUIRED IMPORTED_TARGET libh2o)
pkg_check_modules(CRYPTO REQUIRED IMPORTED_TARGET libcrypto)
pkg_check_modules(SSL REQUIRED IMPORTED_TARGET libssl)
pkg_check_modules(PROTOBUF_C REQUIRED IMPORTED_TARGET libprotobuf-c)
pkg_check_modules(JANSSON REQUIRED IMPORTED_TARGET jansson)
pkg_check_modules(YAML REQUIRED IMPORTED_TARGET yaml-0.1)
pkg_check_modules(HIREDIS REQUIRED IMPORTED_TARGET hiredis)
if(MERIDIAN_TESTS)
  pkg_check_modules(CMOCKA REQUIRED IMPORTED_TARGET cmocka)
endif()

# h2o with libuv as its loop; always explicit, its headers look different without it.
add_library(meridian_h2o INTERFACE)
target_link_libraries(meridian_h2o INTERFACE PkgConfig::H2O PkgConfig::UV PkgConfig::SSL PkgConfig::CRYPTO)
target_compile_definitions(meridian_h2o INTERFACE H2O_USE_LIBUV=1)
