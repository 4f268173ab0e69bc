-- Refuse to use a store that is being moved or was moved, or that only newer versions may use
-- (`queue/fence.py`). ARGV[1] is the prefix of all keys.
-- requires: queue/moved

for _, each in ipairs(redis.call('HVALS', ARGV[1] .. 'formats')) do
  if tonumber(each:match('%d+$')) > const.FORMAT then
    return redis.error_reply('NEWER a newer Taskwire has this store to itself; see `taskwire doctor`')
  end
end
