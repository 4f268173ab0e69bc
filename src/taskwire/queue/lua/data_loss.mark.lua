-- Record a data loss that this process has noticed by itself.
-- requires: queue/fence, queue/batch, queue/data_loss

-- script: data_loss.mark
-- ARGV: prefix, time, looked, is_partly_there
local looked = tonumber(ARGV[3])
settle_data_loss()
local data_loss = redis.call('GET', prefix .. 'data_loss')
-- Another process may have noticed the same loss since this process last looked.
if data_loss and tonumber(data_loss:match('^(%d+)')) >= looked then return data_loss end
return record_loss(ARGV[4] == '1' and looked or 0)
