-- Claim a gap, or record that all its jobs are written.
-- requires: queue/fence, queue/batch

-- script: heartbeat.gap
-- ARGV: prefix, time, absence, is_done
local SAME, CLAIMED = const.SAME_GAP_MS, const.GAP_CLAIM_MS

local key, absence, is_done = prefix .. 'gap', tonumber(ARGV[3]), ARGV[4] == '1'
local since = absence < 0 and 0 or now - absence
local state, at, from = (redis.call('GET', key) or ''):match('^(%a+) (%d+) (%d+)$')
local age = at and now - tonumber(at)
local is_known = at and age >= 0 and age < SAME and tonumber(from) <= since + SAME
if is_known and not is_done and state == 'noted' then return 'noted' end
if is_known and not is_done and age < CLAIMED then return 'claimed' end
redis.call('SET', key, (is_done and 'noted ' or 'claimed ') .. whole(now) .. ' ' .. whole(since), 'PX', SAME)
return 'free'
