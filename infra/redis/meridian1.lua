#!lua name=meridian1
-- SPDX-License-Identifier: Apache-2.0
-- Function library of Meridian's store, version 1 (key layout and results: infra/redis/README.md; the C side is edge/store).
--
-- Every change of a game or a player is one call of a function here: check (fence, version, ticket), then write, on keys of one slot. All
-- checks come before the first write, so a refused call changed nothing. Each call may be repeated: what was done is recognised by its
-- nonce, version or ticket and answered as the first time.
--
-- Replies have one shape, empty strings where there is nothing:
--   games    {status, time ms, needs, version, generation, epoch, nonce, owner, record}
--   players  {status, time ms, needs, game, game owner, ticket, ticket edge, ticket expiry ms, previous edge, previous session,
--             {device, edge, session, device, edge, session, ...}, events in the inbox (only where its key was given)}
--   events   {status, time ms, needs, number, number of the last one that is gone, generation, {...}}: payloads, edges or counts
-- needs: replicas that must have this before it counts, "" as configured. It comes from the key of the electable set, which is the last of
-- KEYS of every function about games and players and is read in the call itself: caller and cluster cannot disagree about it.
-- Numbers of callers are compared as decimal text, whole and exact.

local DEVICES_MAX = 32 -- entries a player; the oldest go first (entries of crashed edges are never deleted by those)

local function now_ms()
  local t = redis.call('TIME')
  return tonumber(t[1]) * 1000 + math.floor(tonumber(t[2]) / 1000)
end

-- no_set: the function has no key of the electable set.
local function register(name, fn, flags, no_set)
  redis.register_function{function_name = name, flags = flags or {}, callback = function(keys, args)
    local reply = fn(keys, args)
    table.insert(reply, 3, not no_set and redis.call('HGET', keys[#keys], 'n') or '')
    return reply
  end}
end

-- ---- games: hash r(ecord) v(ersion) g(eneration) e(poch) n(once) o(wner) x(over) void b(lamed by) q(set aside) -------------------------

local BLAMES_MAX = 3 -- owners a game may bring down before nobody takes it over any more
local ASIDE_MS = 7 * 24 * 3600 * 1000 -- such a game is kept for who looks into it

local function load_game(key)
  local f = redis.call('HMGET', key, 'v', 'g', 'e', 'n', 'o', 'x', 'void', 'b', 'q')
  return {v = f[1], g = f[2], e = f[3], n = f[4], o = f[5], over = f[6], void = f[7], blamed = f[8], aside = f[9],
    absent = not f[1] and not f[7]}
end

local function game_reply(status, game, record)
  return {status, now_ms(), game.v or '', game.g or '', game.e or '', game.n or '', game.o or '', record or ''}
end

local function same_fence(game, g, e, n)
  return game.g == g and game.e == e and game.n == n
end

-- Refusals that put, end and touch share; nil: go on.
local function refused(game, g, e, n)
  if game.absent or game.void then
    return game_reply('ABSENT', {})
  end
  if not same_fence(game, g, e, n) then
    return game_reply('FENCED', game)
  end
end

-- KEYS game, owned; ARGV gid, generation, epoch, nonce, owner, version, record, ttl ms
local function create(keys, args)
  local gid, g, e, n, owner, version, record, ttl = unpack(args)
  local game = load_game(keys[1])
  if game.void then
    return game_reply('VOID', {})
  end
  if not game.absent then
    local mine = same_fence(game, g, e, n) and game.v == version and not game.over
    return game_reply(mine and 'OK' or 'EXISTS', game)
  end
  redis.call('HSET', keys[1], 'r', record, 'v', version, 'g', g, 'e', e, 'n', n, 'o', owner)
  redis.call('PEXPIRE', keys[1], ttl)
  redis.call('SADD', keys[2], gid)
  redis.call('PEXPIRE', keys[2], ttl)
  return game_reply('OK', load_game(keys[1]))
end

-- KEYS game; ARGV generation, epoch, nonce, expected version, version, record, ttl ms
local function put(keys, args)
  local g, e, n, expected, version, record, ttl = unpack(args)
  local game = load_game(keys[1])
  local no = refused(game, g, e, n)
  if no then
    return no
  end
  if game.v == version then
    return game_reply('DUP', game)
  end
  if game.v ~= expected or game.over then
    return game_reply('GAP', game)
  end
  redis.call('HSET', keys[1], 'r', record, 'v', version)
  redis.call('PEXPIRE', keys[1], ttl)
  game.v = version
  return game_reply('OK', game)
end

-- KEYS game, owned; ARGV gid, generation, epoch, nonce, expected version, version, record, ttl ms
local function finish(keys, args)
  local gid, g, e, n, expected, version, record, ttl = unpack(args)
  local game = load_game(keys[1])
  local no = refused(game, g, e, n)
  if no then
    return no
  end
  if game.over then
    return game_reply(game.v == version and 'DUP' or 'GAP', game)
  end
  if game.v ~= expected then
    return game_reply('GAP', game)
  end
  redis.call('HSET', keys[1], 'r', record, 'v', version, 'o', '', 'x', '1')
  redis.call('PEXPIRE', keys[1], ttl)
  redis.call('SREM', keys[2], gid)
  game.v, game.o = version, ''
  return game_reply('OK', game)
end

-- KEYS game, owned; ARGV gid, generation, epoch, nonce, version, ttl ms. Renews also when the version is not the expected one: the game
-- is the caller's, and he will find out.
local function touch(keys, args)
  local gid, g, e, n, version, ttl = unpack(args)
  local game = load_game(keys[1])
  local no = refused(game, g, e, n)
  if no then
    return no
  end
  if not game.over then
    redis.call('PEXPIRE', keys[1], ttl)
    redis.call('SADD', keys[2], gid)
    redis.call('PEXPIRE', keys[2], ttl)
  end
  return game_reply(game.v == version and 'OK' or 'GAP', game)
end

-- Nobody runs it again: over, without an owner, under a fence that nobody has. That is a change, so the version grows; the record stays.
local function set_aside(key, owned, gid, game)
  game.v, game.e = string.format('%.0f', tonumber(game.v) + 1), string.format('%.0f', tonumber(game.e) + 1)
  game.n, game.o = '', ''
  redis.call('HSET', key, 'v', game.v, 'e', game.e, 'n', '', 'o', '', 'x', '1', 'q', '1')
  redis.call('PEXPIRE', key, string.format('%.0f', ASIDE_MS))
  redis.call('SREM', owned, gid)
  return game_reply('ASIDE', game)
end

-- KEYS game, owned by the old owner, owned by the new; ARGV gid, generation, epoch, old owner, new owner, new nonce, ttl ms
local function claim(keys, args)
  local gid, g, e, old, new, nonce, ttl = unpack(args)
  local game = load_game(keys[1])
  if game.absent or game.void then
    return game_reply('ABSENT', {})
  end
  if game.aside then
    return game_reply('ASIDE', game)
  end
  local again = game.n == nonce and game.o == new
  if not again then
    if game.over or game.g ~= g or game.e ~= e or game.o ~= old then
      return game_reply('LOST', game)
    end
    if select(2, string.gsub(game.blamed or '', '%S+', '')) >= BLAMES_MAX then
      return set_aside(keys[1], keys[2], gid, game)
    end
    redis.call('HINCRBY', keys[1], 'e', 1)
    redis.call('HSET', keys[1], 'n', nonce, 'o', new)
    redis.call('PEXPIRE', keys[1], ttl)
    redis.call('SREM', keys[2], gid)
    redis.call('SADD', keys[3], gid)
    redis.call('PEXPIRE', keys[3], ttl)
  end
  return game_reply('OK', load_game(keys[1]), redis.call('HGET', keys[1], 'r'))
end

-- KEYS game
local function get(keys)
  local game = load_game(keys[1])
  if game.void then
    return game_reply('VOID', {})
  end
  if game.absent then
    return game_reply('ABSENT', {})
  end
  return game_reply(game.aside and 'ASIDE' or 'OK', game, redis.call('HGET', keys[1], 'r'))
end

-- KEYS game; ARGV incarnation that ended in the middle of a step of this game. Each counts once.
local function blame(keys, args)
  local game = load_game(keys[1])
  if game.absent or game.void then
    return game_reply('ABSENT', {})
  end
  if not game.over and not string.find(' ' .. (game.blamed or '') .. ' ', ' ' .. args[1] .. ' ', 1, true) then
    redis.call('HSET', keys[1], 'b', game.blamed and game.blamed .. ' ' .. args[1] or args[1])
  end
  return game_reply('OK', game)
end

-- KEYS game; ARGV ttl ms
local function void(keys, args)
  local game = load_game(keys[1])
  if not game.absent and not game.void then
    return game_reply('EXISTS', game)
  end
  redis.call('HSET', keys[1], 'void', '1')
  redis.call('PEXPIRE', keys[1], args[1])
  return game_reply('OK', {})
end

register('mer1_create', create)
register('mer1_put', put)
register('mer1_end', finish)
register('mer1_touch', touch)
register('mer1_claim', claim)
register('mer1_get', get, {'no-writes'})
register('mer1_void', void)
register('mer1_blame', blame)

-- ---- queues: hash n (number of the last) a (up to here they are gone) b(ytes kept) g(eneration), <number> -> payload -------------------------
-- Inboxes and outboxes. Numbers are without gaps; a new queue begins at the time, so that one that was lost or ran out never gives a number again.

local QUEUE_CHUNK = 64 -- fields a call

local function digits(number)
  return string.format('%.0f', number)
end

local function queue_load(key)
  local f = redis.call('HMGET', key, 'n', 'a', 'b', 'g')
  return {key = key, n = tonumber(f[1]) or 0, a = tonumber(f[2]) or 0, b = tonumber(f[3]) or 0, g = f[4] or '1', absent = not f[1]}
end

local function queue_fits(q, payload, max_bytes)
  return q.b + #payload <= tonumber(max_bytes)
end

local function queue_push(q, payload, now)
  if q.absent then
    q.n, q.a, q.absent = now, now, false
  end
  q.n, q.b = q.n + 1, q.b + #payload
  redis.call('HSET', q.key, 'n', digits(q.n), 'a', digits(q.a), 'b', digits(q.b), 'g', q.g, digits(q.n), payload)
end

-- Payloads of up to `count` from the oldest on, as long as they come to at most max_bytes; at least one.
local function queue_read(q, count, max_bytes)
  local list, bytes, last = {}, 0, math.min(q.n, q.a + count)
  for from = q.a + 1, last, QUEUE_CHUNK do
    local fields = {}
    for i = from, math.min(from + QUEUE_CHUNK - 1, last) do
      fields[#fields + 1] = digits(i)
    end
    for _, payload in ipairs(redis.call('HMGET', q.key, unpack(fields))) do
      bytes = bytes + #payload
      if #list > 0 and bytes > max_bytes then
        return list
      end
      list[#list + 1] = payload
    end
  end
  return list
end

local function queue_trim(q, through)
  local last = math.min(q.n, through)
  for from = q.a + 1, last, QUEUE_CHUNK do
    local fields = {}
    for i = from, math.min(from + QUEUE_CHUNK - 1, last) do
      fields[#fields + 1] = digits(i)
    end
    for _, payload in ipairs(redis.call('HMGET', q.key, unpack(fields))) do
      q.b = q.b - #payload
    end
    redis.call('HDEL', q.key, unpack(fields))
  end
  if last > q.a then
    q.a = last
    redis.call('HSET', q.key, 'a', digits(q.a), 'b', digits(q.b))
  end
end

-- ---- players: hash game, host, tid, tedge, texp, d:<device> -> "edge session connected-at-ms" -----------------------------------------

local function load_player(key, now)
  local p = {devices = {}}
  local all = redis.call('HGETALL', key)
  for i = 1, #all, 2 do
    local name, value = all[i], all[i + 1]
    if string.sub(name, 1, 2) == 'd:' then
      local edge, session, at = string.match(value, '^(%S+) (%S+) (%d+)$')
      if edge then
        p.devices[#p.devices + 1] = {device = string.sub(name, 3), edge = edge, session = session, at = tonumber(at)}
      end
    else
      p[name] = value
    end
  end
  p.waiting = p.tid and tonumber(p.texp) > now
  return p
end

-- previous: entry of the device itself, told apart from the others; nil: all are listed.
local function player_reply(status, now, p, previous, except)
  local list = {}
  for _, d in ipairs(p.devices) do
    if d.device ~= except then
      list[#list + 1] = d.device
      list[#list + 1] = d.edge
      list[#list + 1] = d.session
    end
  end
  local t = p.waiting and {p.tid, p.tedge, p.texp} or {'', '', ''}
  return {status, now, p.game or '', p.host or '', t[1], t[2], t[3], previous and previous.edge or '', previous and previous.session or '',
          list}
end

local function drop_oldest_devices(key, p)
  if #p.devices < DEVICES_MAX then
    return
  end
  table.sort(p.devices, function(a, b) return a.at > b.at end)
  while #p.devices >= DEVICES_MAX do
    redis.call('HDEL', key, 'd:' .. table.remove(p.devices).device)
  end
end

-- KEYS player, or player and inbox; ARGV device, edge, session, ttl ms
local function connect(keys, args)
  local device, edge, session, ttl = unpack(args)
  local now = now_ms()
  local p = load_player(keys[1], now)
  local previous
  for _, d in ipairs(p.devices) do
    if d.device == device then
      previous = d
    end
  end
  if not previous then
    drop_oldest_devices(keys[1], p)
  end
  redis.call('HSET', keys[1], 'd:' .. device, edge .. ' ' .. session .. ' ' .. string.format('%.0f', now))
  redis.call('PEXPIRE', keys[1], ttl)
  local reply = player_reply('OK', now, p, previous, device)
  if #keys == 3 then
    local inbox = queue_load(keys[2])
    reply[#reply + 1] = digits(inbox.n - inbox.a)
  end
  return reply
end

-- KEYS player; ARGV device, session, edge (absent: whichever): a session that was taken over by another edge is not this one's any more
local function disconnect(keys, args)
  local now = now_ms()
  local p = load_player(keys[1], now)
  local status = 'LOST'
  for i, d in ipairs(p.devices) do
    if d.device == args[1] and d.session == args[2] and (not args[3] or d.edge == args[3]) then
      redis.call('HDEL', keys[1], 'd:' .. args[1])
      table.remove(p.devices, i)
      status = 'OK'
      break
    end
  end
  return player_reply(status, now, p)
end

-- KEYS player
local function player_get(keys)
  local now = now_ms()
  return player_reply('OK', now, load_player(keys[1], now))
end

-- KEYS player; ARGV ticket, edge, lifetime ms, ttl ms
local function ticket_open(keys, args)
  local ticket, edge, lifetime, ttl = unpack(args)
  local now = now_ms()
  local p = load_player(keys[1], now)
  if p.game then
    return player_reply('GAME', now, p)
  end
  if p.waiting and p.tid ~= ticket then
    return player_reply('TICKET', now, p)
  end
  p.tid, p.tedge, p.texp, p.waiting = ticket, edge, string.format('%.0f', now + tonumber(lifetime)), true
  redis.call('HSET', keys[1], 'tid', p.tid, 'tedge', p.tedge, 'texp', p.texp)
  redis.call('PEXPIRE', keys[1], ttl)
  return player_reply('OK', now, p)
end

-- KEYS player; ARGV ticket
local function ticket_close(keys, args)
  local now = now_ms()
  local p = load_player(keys[1], now)
  if p.tid ~= args[1] then
    return player_reply('LOST', now, p)
  end
  redis.call('HDEL', keys[1], 'tid', 'tedge', 'texp')
  p.waiting = false
  return player_reply('OK', now, p)
end

-- KEYS player; ARGV ticket, gid, owner, ttl ms
local function seat(keys, args)
  local ticket, gid, owner, ttl = unpack(args)
  local now = now_ms()
  local p = load_player(keys[1], now)
  if p.game == gid then
    return player_reply('OK', now, p)
  end
  if p.game or p.tid ~= ticket then
    return player_reply('LOST', now, p)
  end
  redis.call('HSET', keys[1], 'game', gid, 'host', owner)
  redis.call('HDEL', keys[1], 'tid', 'tedge', 'texp')
  redis.call('PEXPIRE', keys[1], ttl)
  p.game, p.host, p.waiting = gid, owner, false
  return player_reply('OK', now, p)
end

-- KEYS player, or player and inbox; ARGV gid, and with the inbox: how the game ended, max bytes, inbox' ttl ms. While his record names the
-- game he is owed that; a full inbox is not: he would be kept from playing.
local function unseat(keys, args)
  local gid, event, max_bytes, ttl = unpack(args)
  local now = now_ms()
  local p = load_player(keys[1], now)
  if p.game and p.game ~= gid then
    return player_reply('LOST', now, p)
  end
  local inbox = #keys == 3 and queue_load(keys[2])
  if p.game then
    redis.call('HDEL', keys[1], 'game', 'host')
    p.game, p.host = nil, nil
    if inbox and queue_fits(inbox, event, max_bytes) then
      queue_push(inbox, event, now)
      redis.call('PEXPIRE', keys[2], ttl)
    end
  end
  local reply = player_reply('OK', now, p)
  if inbox then
    reply[#reply + 1] = digits(inbox.n - inbox.a)
  end
  return reply
end

register('mer1_player_connect', connect)
register('mer1_player_disconnect', disconnect)
register('mer1_player_get', player_get, {'no-writes'})
register('mer1_ticket_open', ticket_open)
register('mer1_ticket_close', ticket_close)
register('mer1_player_seat', seat)
register('mer1_player_unseat', unseat)

-- ---- events: messages and notices to a user, each a payload that nobody here looks into ------------------------------------------------------
-- All keys are of the recipient's bucket: inbox:{bN}:user, outbox:{bN}:region, sent:{bN}:sender (his last marks: hash m:<mark> -> number,
-- r<place> -> mark, n) and relayed:{bN} (hash origin -> "generation number" of the last one taken from there, f:origin -> numbers of those
-- that found no room and that the origin may not know of yet).

local MARKS_MAX = 128 -- a sender and bucket: more than he may have sent without an answer

local function event_reply(status, now, q, number, list)
  return {status, now, number or '', digits(q.a), q.g, list or {}}
end

local function mark_note(key, mark, number, ttl)
  local n = tonumber(redis.call('HGET', key, 'n') or '0')
  local place = 'r' .. digits(n % MARKS_MAX)
  local old = redis.call('HGET', key, place)
  if old then
    redis.call('HDEL', key, 'm:' .. old)
  end
  redis.call('HSET', key, 'n', digits(n + 1), place, mark, 'm:' .. mark, number)
  redis.call('PEXPIRE', key, ttl)
end

-- Incarnations of the edges where the user is said to be connected, each once.
local function edges_of(key, now)
  local list, seen = {}, {}
  for _, d in ipairs(load_player(key, now).devices) do
    if not seen[d.edge] then
      seen[d.edge] = true
      list[#list + 1] = d.edge
    end
  end
  return list
end

-- Status, queue and number of what is stored there now, earlier under the same mark, or not at all.
local function queue_once(key, sent, mark, payload, max_bytes, mark_ttl, now)
  local q, before = queue_load(key), redis.call('HGET', sent, 'm:' .. mark)
  if before then
    return 'DUP', q, before
  end
  if not queue_fits(q, payload, max_bytes) then
    return 'FULL', q
  end
  queue_push(q, payload, now)
  mark_note(sent, mark, digits(q.n), mark_ttl)
  return 'OK', q, digits(q.n)
end

-- KEYS outbox, sent; ARGV mark, payload, max bytes, mark's ttl ms
local function event_send(keys, args)
  local mark, payload, max_bytes, mark_ttl = unpack(args)
  local now = now_ms()
  local status, q, number = queue_once(keys[1], keys[2], mark, payload, max_bytes, mark_ttl, now)
  return event_reply(status, now, q, number)
end

-- KEYS inbox, player, sent; ARGV mark, payload, max bytes, mark's ttl ms, inbox' ttl ms
local function event_put(keys, args)
  local mark, payload, max_bytes, mark_ttl, ttl = unpack(args)
  local now = now_ms()
  local status, q, number = queue_once(keys[1], keys[3], mark, payload, max_bytes, mark_ttl, now)
  if status ~= 'OK' then
    return event_reply(status, now, q, number)
  end
  redis.call('PEXPIRE', keys[1], ttl)
  return event_reply(status, now, q, number, edges_of(keys[2], now))
end

-- The numbers in `text` that are above base.
local function numbers_above(text, base)
  local list, has = {}, {}
  for word in string.gmatch(text or '', '%d+') do
    if tonumber(word) > base then
      list[#list + 1] = word
      has[word] = true
    end
  end
  return list, has
end

-- KEYS inbox, player, relayed; ARGV origin, generation, base (everything up to there is settled for the origin), number, payload, max bytes,
-- ttl ms. Answers the user's edges too. OK, DUP (who took it may have died before he told them), GAP (one before it is missing), FULL (settled
-- too: the recipient has no room), LOST (of a generation that is over).
local function event_take(keys, args)
  local origin, generation, base, number, payload, max_bytes, ttl = unpack(args)
  local now = now_ms()
  local f = redis.call('HMGET', keys[3], origin, 'f:' .. origin)
  local g, last = string.match(f[1] or '', '^(%d+) (%d+)$')
  local q, done = queue_load(keys[1]), tonumber(base)
  local refused, is_refused = numbers_above(f[2], done)
  if g and tonumber(generation) < tonumber(g) then
    return event_reply('LOST', now, q)
  end
  if g == generation and tonumber(last) > done then
    done = tonumber(last)
  end
  if tonumber(number) <= done then
    return event_reply(is_refused[number] and 'FULL' or 'DUP', now, q, '', edges_of(keys[2], now))
  end
  if tonumber(number) > done + 1 then
    return event_reply('GAP', now, q)
  end
  local fits = queue_fits(q, payload, max_bytes)
  if fits then
    queue_push(q, payload, now)
    redis.call('PEXPIRE', keys[1], ttl)
  else
    refused[#refused + 1] = number
  end
  redis.call('HSET', keys[3], origin, generation .. ' ' .. number, 'f:' .. origin, table.concat(refused, ' '))
  return event_reply(fits and 'OK' or 'FULL', now, q, fits and digits(q.n), fits and edges_of(keys[2], now))
end

-- KEYS inbox or outbox; ARGV count, max bytes
local function events_get(keys, args)
  local q = queue_load(keys[1])
  return event_reply('OK', now_ms(), q, digits(q.n), queue_read(q, tonumber(args[1]), tonumber(args[2])))
end

-- KEYS inbox or outbox; ARGV generation ("": whichever), number: it and those before it go
local function events_trim(keys, args)
  local q = queue_load(keys[1])
  if args[1] ~= '' and args[1] ~= q.g then
    return event_reply('LOST', now_ms(), q, digits(q.n))
  end
  queue_trim(q, tonumber(args[2]))
  return event_reply('OK', now_ms(), q, digits(q.n))
end

-- KEYS outboxes of a bucket. How much waits in each: events, a space, bytes.
local function outbox_heads(keys)
  local list = {}
  for i, key in ipairs(keys) do
    local q = queue_load(key)
    list[i] = digits(q.n - q.a) .. ' ' .. digits(q.b)
  end
  return event_reply('OK', now_ms(), {a = 0, g = ''}, '', list)
end

register('mer1_event_send', event_send)
register('mer1_event_put', event_put)
register('mer1_event_take', event_take)
register('mer1_events_get', events_get, {'no-writes'})
register('mer1_events_trim', events_trim)
register('mer1_outbox_heads', outbox_heads, {'no-writes'}, true)

-- ---- the router's lease: hash e(poch) h(older) a(ddress) x (Redis' clock, ms); the key itself never expires: epochs may not start again ----

local function lease_reply(status, now, l)
  return {status, now, l.e or '', l.h or '', l.a or '', tostring(math.max(0, (tonumber(l.x) or 0) - now))}
end

local function load_lease(key)
  local f = redis.call('HMGET', key, 'e', 'h', 'a', 'x')
  return {e = f[1], h = f[2], a = f[3], x = f[4]}
end

-- KEYS lease; ARGV id, address, lease ms, seen epoch, seen holder. Renews one's own while it lasts (same epoch); takes a free one, or the one
-- that is seen (the caller lost its link to that holder), under the next epoch.
local function lease_take(keys, args)
  local id, address, ms, seen_epoch, seen_holder = unpack(args)
  local now = now_ms()
  local l = load_lease(keys[1])
  local held = l.h and l.h ~= '' and (tonumber(l.x) or 0) > now
  if held and l.h ~= id and not (l.e == seen_epoch and l.h == seen_holder) then
    return lease_reply('HELD', now, l)
  end
  if not (held and l.h == id) then
    l.e = string.format('%.0f', (tonumber(l.e) or 0) + 1)
  end
  l.h, l.a, l.x = id, address, string.format('%.0f', now + tonumber(ms))
  redis.call('HSET', keys[1], 'e', l.e, 'h', l.h, 'a', l.a, 'x', l.x)
  return lease_reply('OK', now, l)
end

-- KEYS lease; ARGV id. OK; LOST: it is another's.
local function lease_release(keys, args)
  local now = now_ms()
  local l = load_lease(keys[1])
  if l.h ~= args[1] then
    return lease_reply('LOST', now, l)
  end
  redis.call('HSET', keys[1], 'h', '', 'x', '0')
  l.h, l.x = '', '0'
  return lease_reply('OK', now, l)
end

register('mer1_lease_take', lease_take, {}, true)
register('mer1_lease_release', lease_release, {}, true)

-- ---- what the leader writes ---------------------------------------------------------------------------------------------------------------

-- KEYS hash, lease; ARGV epoch, id, field, value ("": the field goes). OK; LOST: the lease is another's, or of another term.
local function leader_note(keys, args)
  local epoch, id, field, value = unpack(args)
  local now = now_ms()
  local l = load_lease(keys[2])
  if l.e ~= epoch or l.h ~= id then
    return lease_reply('LOST', now, l)
  end
  if value == '' then
    redis.call('HDEL', keys[1], field)
  else
    redis.call('HSET', keys[1], field, value)
  end
  return lease_reply('OK', now, l)
end

-- KEYS electable set of a bucket: hash n (replicas an acknowledgement needs) e h (epoch and id of who said so); ARGV count, epoch, id. The
-- lease lies on another primary, so the key keeps the epoch itself: OK; LOST: a later leader was here, or another one of that epoch.
local function electable_set(keys, args)
  local count, epoch, id = unpack(args)
  local f = redis.call('HMGET', keys[1], 'e', 'h')
  local last = tonumber(f[1]) or 0
  if last > tonumber(epoch) or (last == tonumber(epoch) and f[2] and f[2] ~= id) then
    return {'LOST', now_ms(), f[1] or ''}
  end
  redis.call('HSET', keys[1], 'n', count, 'e', epoch, 'h', id)
  return {'OK', now_ms(), epoch}
end

register('mer1_leader_note', leader_note, {}, true)
register('mer1_electable_set', electable_set)
