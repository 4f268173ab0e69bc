-- `seen`, the state of a side: its fence, when a Taskwire last worked on it, and which move ended there.
-- KEYS: fence, server

local seen = {}
for i, each in ipairs({'state', 'move', 'run', 'at'}) do
  seen[i] = redis.call('HGET', KEYS[1], each) or ''
end
for _, each in ipairs({'at', 'arrived'}) do seen[#seen + 1] = redis.call('HGET', KEYS[2], each) or '' end
seen = table.concat(seen, ' ')
