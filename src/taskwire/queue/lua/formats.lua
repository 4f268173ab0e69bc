-- Formats: finds the oldest newer format whose processes are still expected (`queue/formats.py`).

local NEWER_VERSION_WAIT_MS = const.NEWER_VERSION_WAIT_MS
local formats, unreadable = prefix .. 'formats', prefix .. 'unreadable'
local function newer_than(format)
  local newer
  local known = redis.call('HGETALL', formats)
  for i = 1, #known, 2 do
    local each, seen = tonumber(known[i]), tonumber(known[i + 1]:match('^%d+'))
    local is_expected = now - seen <= NEWER_VERSION_WAIT_MS
    if each > format and is_expected and (not newer or each < newer) then newer = each end
  end
  return newer
end
