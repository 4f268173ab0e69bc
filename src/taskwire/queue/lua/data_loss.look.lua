-- Notice if this is another server, and return what this process has to do about it.
-- requires: queue/fence, queue/batch, queue/data_loss

-- script: data_loss.look
-- ARGV: prefix, time, is_embedded, writer
check_server(ARGV[3])
local me, state = ARGV[4], ''
local lost_at = tonumber(redis.call('HGET', prefix .. 'server', 'lost_at') or nil)
if lost_at and now - lost_at > const.WRITER_ANSWER_MS then
  settle_data_loss()
elseif lost_at then
  state = redis.call('SISMEMBER', awaited, me) == 1 and 'asked'
          or redis.call('SISMEMBER', confirmed, me) == 1 and 'confirmed' or ''
end
redis.call('ZADD', writers, whole(now), me)
redis.call('ZREMRANGEBYSCORE', writers, '-inf', whole(now - const.WRITERS_TTL_MS))
redis.call('PEXPIRE', writers, const.WRITERS_TTL_MS)
redis.call('PEXPIRE', prefix .. 'writes:' .. me, const.WRITERS_TTL_MS)
local numbers = redis.call('HGETALL', prefix .. 'poll:number')
return {whole(now), redis.call('GET', prefix .. 'data_loss') or '', state, unpack(numbers)}
