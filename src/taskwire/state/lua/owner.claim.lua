-- Make this Slack app and this Coder the owner of a store that has none. If they are the owner already,
-- record what was not known of them, and the present address.
-- requires: queue/fence, queue/batch

-- script: owner.claim
-- ARGV: prefix, time, app, coder, url
local key = prefix .. 'owner'
local app, coder, url = ARGV[3], ARGV[4], ARGV[5]
local known = redis.call('HMGET', key, 'app', 'coder', 'url')
local is_new = not known[1]
local is_same = known[1] == app and (known[2] == coder or known[2] == '' and known[3] == url)
if is_new or is_same and coder ~= '' then redis.call('HSET', key, 'app', app, 'coder', coder, 'url', url) end
return is_new and {app, coder, url} or known
