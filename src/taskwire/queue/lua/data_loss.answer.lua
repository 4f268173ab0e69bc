-- Record whether Redis still has the last writes of this process.
-- requires: queue/fence, queue/batch, queue/data_loss

-- script: data_loss.answer
-- ARGV: prefix, time, writer, is_known, calls...
local me, is_whole, there = ARGV[3], ARGV[4] == '1', {}
for _, call in ipairs(redis.call('LRANGE', prefix .. 'writes:' .. me, 0, -1)) do there[call] = true end
for i = 5, #ARGV do is_whole = is_whole and there[ARGV[i]] end
if not is_whole then
  settle_data_loss()
elseif redis.call('SREM', awaited, me) == 1 then
  redis.call('SADD', confirmed, me)
  redis.call('PEXPIRE', confirmed, const.WRITERS_TTL_MS)
  if redis.call('EXISTS', awaited) == 0 then
    local before = redis.call('HGET', prefix .. 'server', 'lost_before') or ''
    if before == '' then redis.call('DEL', prefix .. 'data_loss')
    else redis.call('SET', prefix .. 'data_loss', before, 'PX', const.LOSS_TTL_MS) end
    settle_data_loss()
  end
end
local is_open = redis.call('HEXISTS', prefix .. 'server', 'lost_at') == 1
return {redis.call('GET', prefix .. 'data_loss') or '', is_open and 'confirmed' or ''}
