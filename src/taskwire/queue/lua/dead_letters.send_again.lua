-- Append the job of a dead letter to its queue and remove the dead letter, if it is unchanged since it was
-- read.
-- requires: queue/fence, queue/batch

-- script: dead_letters.send_again
-- ARGV: prefix, time, id, letter, queue, job_id, score, job, link, reply
local id, letter, name, job, score, body, link, reply = unpack(ARGV, 3, 10)
if redis.call('HGET', dead_letters, id) ~= letter then return 'already_handled' end
if link ~= '' then
  local key = prefix .. 'link:' .. link
  if redis.call('HEXISTS', key, 'record') == 0 then return 'no_link' end
  if redis.call('HEXISTS', key, 'ended') == 1 then return 'no_link' end
end
local _, jobs = queue_keys(name)
if redis.call('HEXISTS', jobs, 'body|' .. job) == 0 then
  if reply ~= '' and redis.call('DEL', reply) == 0 then return 'decided' end
  put(name, job, score, '0', 'new', body)
end
forget_dead_letters({id})
return 'sent'
