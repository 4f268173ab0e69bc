-- Take a store that has no owner. Of a known owner, note what was not known yet and its present address.
-- Note the newest key of this process, unless it has none of the keys noted so far.
-- requires: queue/fence, queue/batch

-- script: owner.claim
-- ARGV: prefix, time, app, coder, url, keys...
local key = prefix .. 'owner'
local app, coder, url = ARGV[3], ARGV[4], ARGV[5]
local known = redis.call('HMGET', key, 'app', 'coder', 'url', 'keys')
local is_new = not known[1]
local is_same = known[1] == app and (known[2] == coder or known[2] == '' and known[3] == url)
if is_new or is_same and coder ~= '' then redis.call('HSET', key, 'app', app, 'coder', coder, 'url', url) end
local noted, newest = known[4] or '', ARGV[6] or ''
if is_new or is_same then
  local has_key = noted == ''
  for i = 6, #ARGV do has_key = has_key or noted:find(ARGV[i], 1, true) ~= nil end
  if has_key and not noted:find(newest, 1, true) then
    redis.call('HSET', key, 'keys', noted == '' and newest or noted .. ' ' .. newest)
  end
end
return is_new and {app, coder, url, newest} or {known[1], known[2], known[3], noted}
