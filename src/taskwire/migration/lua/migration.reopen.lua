-- Remove a fence. If a left store is reopened, the id of its server is replaced, so that every process treats
-- it as another server. An incomplete copy stays closed.
-- KEYS: fence, server

local state = redis.call('HGET', KEYS[1], 'state')
if state == 'arriving' then return 0 end
if state == 'left' then redis.call('HSET', KEYS[2], 'id', 'left') end
return redis.call('DEL', KEYS[1])
