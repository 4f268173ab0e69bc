-- Data loss: which server was used last, and which processes are asked whether their last writes still exist
-- (`queue/data_loss_detector.py`).

local writers = prefix .. 'writers'
local awaited, confirmed = writers .. ':awaited', writers .. ':confirmed'
local function settle_data_loss()
  redis.call('HDEL', prefix .. 'server', 'lost_at', 'lost_before')
  redis.call('DEL', awaited, confirmed)
end
local function ask_writers(at, before)
  redis.call('DEL', awaited, confirmed)
  for _, who in ipairs(redis.call('ZRANGEBYSCORE', writers, whole(at - const.RECENT_WRITER_MS), '+inf')) do
    redis.call('SADD', awaited, who)
  end
  if redis.call('EXISTS', awaited) == 0 then return end
  redis.call('PEXPIRE', awaited, const.WRITERS_TTL_MS)
  redis.call('HSET', prefix .. 'server', 'lost_at', whole(now), 'lost_before', before)
end
local function record_loss(since)
  local key = prefix .. 'data_loss'
  local before = tonumber((redis.call('GET', key) or ''):match('(%d+)$') or since)
  local told = whole(now) .. ' ' .. whole(math.min(before, since))
  redis.call('SET', key, told, 'PX', const.LOSS_TTL_MS)
  return told
end
local function check_server(is_embedded)
  local key = prefix .. 'server'
  local is_told, told = pcall(redis.call, 'INFO', 'server')
  local id = is_told and type(told) == 'string' and told:match('run_id:(%x+)') or ''
  local known = redis.call('HMGET', key, 'id', 'at')
  local at = tonumber(known[2] or '0')
  local is_another = known[1] and known[1] ~= id and id ~= ''
  if is_another and (is_embedded ~= '1' or now - at > const.OWN_SERVER_SILENCE_MS) then
    local before = redis.call('HGET', key, 'lost_before') or redis.call('GET', prefix .. 'data_loss') or ''
    record_loss(at)
    ask_writers(at, before)
  end
  if known[1] ~= id or now - at > const.SERVER_NOTE_INTERVAL_MS then
    redis.call('HSET', key, 'id', id, 'at', whole(now))
  end
end
local function data_loss_of(name, since)
  local data_loss = redis.call('GET', prefix .. 'data_loss')
  local at = data_loss and tonumber(data_loss:match('^(%d+)'))
  if not at or now - at >= const.SUSPECT_MS and since > at then return '' end
  -- If a task was requested after the loss, none of its data is from before the loss.
  local record = redis.call('HGET', prefix .. 'link:' .. (name:match(':(.*)') or ''), 'record') or ''
  local made = tonumber(record:match('"made_at":"(%d+)') or '0') * 1000
  return made <= at + const.OWN_SERVER_SILENCE_MS and data_loss or ''
end
