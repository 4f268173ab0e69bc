-- Batches: `checked` decodes a batch and checks it, `run` carries it out (`queue/batch.py`).
--
-- Redis does not roll back a script that fails halfway, so a script checks its batch before its first
-- write. A batch that is written before its link is known names the link `@` in the first word of each
-- operation.
-- requires: queue/dead_letters, queue/audit

-- One letter for each word: k a key, w anything, n a number, p a place in a queue. What follows + may repeat.
local SHAPES = {
  append = 'wwpnww', add_dead_letter = 'ww', drop = 'ww', hold = 'wkwnn', unhold = 'wk', hasten = 'wwn',
  adopt = 'kw', add_audit_entry = 'kwnn',
  DEL = 'k', HDEL = 'k+w', HSET = 'k+ww', PEXPIRE = 'kn', SET = 'kw', ZADD = 'k+nw', ZREM = 'k+w',
  ZREMRANGEBYRANK = 'knn', keep_newest = 'kn'
}
local HOLDS = {
  HDEL = 'hash', HSET = 'hash', ZADD = 'zset', ZREM = 'zset', ZREMRANGEBYRANK = 'zset',
  hold = 'hash', unhold = 'hash', adopt = 'list', keep_newest = 'hash'
}
local function fits(word, kind)
  if type(word) ~= 'string' then return false end
  if kind == 'p' and (word == 'next' or word == 'due') then return true end
  return kind == 'k' or kind == 'w' or word:find('^-?%d+%.?%d*$') ~= nil
end
local function is_shaped(words, shape)
  local fixed, more = shape:match('^(%a*)%+?(%a*)$')
  local rest = #words - #fixed
  if more == '' and rest ~= 0 then return false end
  if more ~= '' and (rest <= 0 or rest % #more ~= 0) then return false end
  for i, word in ipairs(words) do
    local at = i <= #fixed and fixed:byte(i) or more:byte((i - #fixed - 1) % #more + 1)
    if not fits(word, string.char(at)) then return false end
  end
  return true
end
local function is_right(operation)
  local op, words = operation[1], {unpack(operation, 2)}
  if op == 'expiring' then
    op = words[3]
    if not fits(words[2], 'n') then return false end
    words = {words[1], unpack(words, 4)}
  end
  local shape = SHAPES[op]
  if not shape or not is_shaped(words, shape) then return false end
  if not HOLDS[op] then return true end
  local kind = redis.call('TYPE', words[shape:find('k')]).ok
  return kind == 'none' or kind == HOLDS[op]
end
local function named(word, link)
  local at = word:find('@', 1, true)
  return at and word:sub(1, at - 1) .. link .. word:sub(at + 1) or word
end
local function checked(encoded, link)
  local operations = cjson.decode(encoded)
  for _, operation in ipairs(operations) do
    if link then operation[2] = named(operation[2], link) end
    if not is_right(operation) then
      error('not an operation: ' .. tostring(operation[1]) .. ' ' .. tostring(operation[2]), 0)
    end
  end
  return operations
end

local ops = {}
local function run(operations)
  for _, operation in ipairs(operations) do
    local op = table.remove(operation, 1)
    if ops[op] then ops[op](unpack(operation)) else redis.call(op, unpack(operation)) end
  end
end
function ops.append(name, id, score, delay, mode, body) put(name, id, score, delay, mode, body) end
function ops.add_dead_letter(id, letter) add_dead_letter(id, letter) end
function ops.add_audit_entry(...) add_audit_entry(...) end
function ops.drop(name, id) drop(name, id) settle(name) end
function ops.hold(name, key, beginning, lowest, highest)
  set_aside(name, key, beginning, lowest, highest)
  settle(name)
end
function ops.unhold(name, key)
  local held = redis.call('HGETALL', key)
  redis.call('DEL', key)
  for i = 1, #held, 2 do
    local score, body = held[i + 1]:match('^(%S+) (.*)$')
    if score then put(name, held[i], score, '0', 'new', body) end
  end
end
function ops.hasten(name, beginning, longest)
  local order, jobs, state = queue_keys(name)
  local head = head_of(name)
  if not head or head:sub(1, #beginning) ~= beginning then return end
  if redis.call('HEXISTS', state, 'attempt_job') == 1 then return end
  local left = tonumber(redis.call('HGET', jobs, 'not_before|' .. head) or '0') - now
  if left > 0 and left <= tonumber(longest) then
    redis.call('HSET', jobs, 'not_before|' .. head, '0')
    settle(name)
  end
end
function ops.expiring(key, ms, command, ...)
  redis.call(command, key, ...)
  redis.call('PEXPIRE', key, ms)
end
function ops.keep_newest(key, most)
  most = tonumber(most)
  -- Sorting is expensive, so it is not done at each write.
  if redis.call('HLEN', key) < 2 * most then return end
  local fields = redis.call('HKEYS', key)
  table.sort(fields)
  for i = 1, #fields - most do redis.call('HDEL', key, fields[i]) end
end
function ops.adopt(parked, link)
  for at, entry in ipairs(redis.call('LRANGE', parked, 0, -1)) do
    local is_good, operations = pcall(checked, entry, link)
    if is_good then
      run(operations)
    else
      -- Another version has parked this batch. It must not prevent the link, so it becomes a job of its own,
      -- in place of the job that it contains.
      local id, score = 'parked:' .. whole(now) .. ':' .. at, 'next'
      local is_json, decoded = pcall(cjson.decode, entry)
      for _, operation in ipairs(is_json and type(decoded) == 'table' and decoded or {}) do
        if type(operation) == 'table' and operation[2] == 'to_coder:@' and tonumber(operation[4]) then
          score = operation[4]
        end
      end
      local work = {kind = 'parked_batch', batch = entry}
      put('to_coder:' .. link, id, score, '0', 'new', cjson.encode({id = id, work = work}))
    end
  end
  redis.call('DEL', parked)
  -- No search for this thread is needed any more.
  local lost = 'lost_threads:' .. parked:sub(#prefix + #'parked:' + 1)
  for _, id in ipairs(redis.call('ZRANGE', (queue_keys(lost)), 0, -1)) do drop(lost, id) end
  settle(lost)
end
