-- Data loss: on which server Redis was seen last, and which writers are asked whether their last writes are
-- there (`queue/data_loss_detector.py`).

local writers, awaited, sure = prefix .. 'writers', prefix .. 'writers:awaited', prefix .. 'writers:sure'
local function settle_data_loss()
  redis.call('HDEL', prefix .. 'server', 'lost_at', 'lost_before')
  redis.call('DEL', awaited, sure)
end
local function ask_writers(at, before)
  redis.call('DEL', awaited, sure)
  for _, who in ipairs(redis.call('ZRANGEBYSCORE', writers, whole(at - const.LIVED_MS), '+inf')) do
    redis.call('SADD', awaited, who)
  end
  if redis.call('EXISTS', awaited) == 0 then return end
  redis.call('PEXPIRE', awaited, const.DAY_MS)
  redis.call('HSET', prefix .. 'server', 'lost_at', whole(now), 'lost_before', before)
end
local function rewind_to(since)
  local key = prefix .. 'data_loss'
  local before = tonumber((redis.call('GET', key) or ''):match('(%d+)$') or since)
  local told = whole(now) .. ' ' .. whole(math.min(before, since))
  redis.call('SET', key, told, 'PX', const.REMEMBERED_MS)
  return told
end
local function see_server(is_own)
  local key = prefix .. 'server'
  local is_told, told = pcall(redis.call, 'INFO', 'server')
  local id = is_told and type(told) == 'string' and told:match('run_id:(%x+)') or ''
  local known = redis.call('HMGET', key, 'id', 'at')
  local at = tonumber(known[2] or '0')
  local is_another = known[1] and known[1] ~= id and id ~= ''
  if is_another and (is_own ~= '1' or now - at > const.SILENCE_MS) then
    local before = redis.call('HGET', key, 'lost_before') or redis.call('GET', prefix .. 'data_loss') or ''
    rewind_to(at)
    ask_writers(at, before)
  end
  if known[1] ~= id or now - at > const.NOTED_EACH_MS then
    redis.call('HSET', key, 'id', id, 'at', whole(now))
  end
end
local function data_loss_of(name, since)
  local data_loss = redis.call('GET', prefix .. 'data_loss')
  local at = data_loss and tonumber(data_loss:match('^(%d+)'))
  if not at or now - at >= const.DOUBTED_MS and since > at then return '' end
  -- A task that was asked for after the loss has nothing from before it.
  local record = redis.call('HGET', prefix .. 'link:' .. (name:match(':(.*)') or ''), 'record') or ''
  local made = tonumber(record:match('"made_at":"(%d+)') or '0') * 1000
  return made <= at + const.SILENCE_MS and data_loss or ''
end
