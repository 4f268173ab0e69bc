-- Record that a list of tasks did not show these tasks. Return the links whose task two lists in a row did
-- not show.
-- requires: queue/fence, queue/batch

-- script: polls.count_missing (polls)
-- ARGV: prefix, time, account, number, (task, link)...
local account, number = ARGV[3], ARGV[4]
if redis.call('HGET', prefix .. 'poll:number', account) ~= number then return -1 end
local gone = {}
for i = 5, #ARGV, 2 do
  local link = redis.call('HGET', prefix .. 'links', ARGV[i])
  -- The caller has checked that the record of its link is about the task. Another link is not trusted.
  if link and link == ARGV[i + 1] then
    local missed = redis.call('HINCRBY', prefix .. 'link:' .. link, 'missed', 1)
    if missed >= 2 then gone[#gone + 1] = link end
  end
end
return gone
