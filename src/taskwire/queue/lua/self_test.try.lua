-- Try commands, and list those that are refused.
-- requires: queue/fence, queue/batch

-- script: self_test.try
-- ARGV: prefix, time, commands...
local refused = {}
for i = 3, #ARGV do
  local words = {}
  for word in ARGV[i]:gmatch('%S+') do words[#words + 1] = word end
  local answer = redis.pcall(unpack(words))
  if type(answer) == 'table' and answer.err then
    refused[#refused + 1] = words[1]
    refused[#refused + 1] = answer.err
  end
end
return refused
