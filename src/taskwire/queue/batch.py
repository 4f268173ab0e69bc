"""A batch: everything that one Lua call writes. Either all of it is written or nothing.

A batch is a list of operations, carried out in order: plain Redis writes, jobs appended to queues, and the
few operations that look before they write. `queue/leases.py` and `queue/inbox.py` run batches; nothing else
writes to Redis what must not be lost.

Redis does not roll back a script that fails half-way. So every script checks its whole batch (`checked`)
before its first write.
"""

import json
from collections.abc import Callable
from typing import Literal, Self

from taskwire.domain.jobs import FIRST_DRAWING, LANE, REPLY, Job, QueueName
from taskwire.redis import write_log

# What a plain write may be; each stands in SHAPES below too.
Command = Literal["DEL", "HDEL", "HSET", "PEXPIRE", "SET", "ZADD", "ZREM", "ZREMRANGEBYRANK"]

# Dead letters that are kept, and for how long.
MOST_LETTERS = 1_000
LETTERS_MS = 30 * 24 * 3_600_000

# No busy agent makes a reply wait for longer; what does waits for a person's word.
BUSY_MS = 60_000

# So many jobs of what is told are looked at for one that calls somebody: it takes those before it along.
NEAR = 4

# A list is three keys: `order` (a sorted set of job ids), `jobs` (b|id the job, n|id not before, v|id its
# version, s|id since when, f|id the oldest format that may read it, with when that was found) and `state`
# (token, job, held_until, takes, attempt, trouble, format…). While a list is held only its holder moves its
# due time. A version is a number that the list never gives twice, so that a job that came back under its old
# id is not taken for the one that went.
_LISTS = (
    write_log.LUA + f"""
local NEAR, IN_TURN, FIRST_DRAWING = {NEAR}, 2 * {LANE}, '{FIRST_DRAWING}'
"""
    """
local prefix = ARGV[1]
local function clock()
  if stamp ~= '' then return tonumber(stamp) end
  local t = redis.call('TIME')
  return t[1] * 1000 + math.floor(t[2] / 1000)
end
local now = clock()
local EMPTY_LIST_MS = 3600000
local function whole(n) return string.format('%.0f', n) end
local function queue_keys(name)
  local base = prefix .. 'queue:' .. name .. ':'
  return base .. 'order', base .. 'jobs', base .. 'state'
end
local ready, wake = prefix .. 'ready', prefix .. 'wakeups'
local function rouse()
  redis.call('LPUSH', wake, '1')
  redis.call('LTRIM', wake, 0, 63)
end
local function head_of(name)
  local order, jobs, state = queue_keys(name)
  return redis.call('HGET', state, 'attempt_job') or redis.call('ZRANGE', order, 0, 0)[1]
end
-- A list that has work stands in a place: in `ready` or, where only a newer version can read its next job, in
-- `newer:` with the oldest format that may. An older process never looks there, so nothing else is kept
-- waiting.
local function place_for(format) return format == '' and ready or prefix .. 'newer:' .. format end
local function format_of(name)
  local _, jobs = queue_keys(name)
  local head = head_of(name)
  local format = head and (redis.call('HGET', jobs, 'format|' .. head) or ''):match('^%d+') or ''
  return format == '1' and '' or format
end
local function place_of(name)
  local _, _, state = queue_keys(name)
  return place_for(redis.call('HGET', state, 'format') or '')
end
-- Beside each place, which holds all its lists, three hold those that go before the rest: what people ask and
-- what calls them, what else is done and said, and the receipts. Of the cards only
-- new ones are in any of them.
local calls, acts, receipts = ':calls', ':acts', ':receipts'
local ahead = {calls, acts, receipts}
local function is_call_near(name)
  local order, jobs = queue_keys(name)
  -- No text in a job looks like this: its quotation marks are escaped.
  for _, id in ipairs(redis.call('ZRANGE', order, 0, NEAR - 1)) do
    local body = redis.call('HGET', jobs, 'body|' .. id)
    if body and body:find('"is_call":true', 1, true) then return true end
  end
  return false
end
local function index_of(name)
  local kind = name:match('^[%a_]*')
  if kind == 'card' then
    local _, jobs = queue_keys(name)
    return redis.call('HEXISTS', jobs, 'body|' .. FIRST_DRAWING) == 1 and acts or nil
  end
  if kind == 'receipts' then return receipts end
  local is_of_person = kind == 'intake' or kind == 'handed_over_answers' or kind == 'direct_messages'
  if is_of_person or kind == 'to_thread' and is_call_near(name) then return calls end
  -- Replies that wait for their agent are tried again and again, and keep nobody else waiting.
  local first = kind == 'to_coder' and redis.call('ZRANGE', (queue_keys(name)), 0, 0, 'WITHSCORES')[2]
  return first and tonumber(first) < IN_TURN and calls or acts
end
local function not_due(name)
  local _, _, state = queue_keys(name)
  local place = place_of(name)
  redis.call('ZREM', place, name)
  for _, index in ipairs(ahead) do redis.call('ZREM', place .. index, name) end
  redis.call('HDEL', state, 'format')
end
local function due_at(name, at)
  local _, _, state = queue_keys(name)
  local format = format_of(name)
  if format ~= (redis.call('HGET', state, 'format') or '') then
    not_due(name)
    if format ~= '' then redis.call('HSET', state, 'format', format) end
  end
  local place, mine = place_for(format), index_of(name)
  redis.call('ZADD', place, whole(at), name)
  for _, index in ipairs(ahead) do
    if index == mine then
      redis.call('ZADD', place .. index, whole(at), name)
    else
      redis.call('ZREM', place .. index, name)
    end
  end
end
local function settle(name)
  local order, jobs, state = queue_keys(name)
  local held = tonumber(redis.call('HGET', state, 'held_until') or '0')
  if held > now then return end
  local head = head_of(name)
  if not head then
    not_due(name)
    if redis.call('EXISTS', state) == 1 then redis.call('PEXPIRE', state, EMPTY_LIST_MS) end
    return
  end
  local due = now
  local pinned = tonumber(redis.call('HGET', state, 'attempt_until') or '0')
  local not_before = tonumber(redis.call('HGET', jobs, 'not_before|' .. head) or '0')
  if pinned > 0 then not_before = pinned end
  -- What has been due for a while keeps its place among the lists, whatever is appended to it.
  local was = tonumber(redis.call('ZSCORE', place_of(name), name) or '') or due
  if not_before > due then due = not_before elseif was < due then due = was end
  due_at(name, due)
  if due <= now then rouse() end
end
local function new_version(state) return whole(redis.call('HINCRBY', state, 'version', 1)) end
local function put(name, id, score, delay, mode, body)
  local order, jobs, state = queue_keys(name)
  local not_before = now + tonumber(delay)
  if mode ~= 'newest' and redis.call('HEXISTS', jobs, 'body|' .. id) == 1 then
    -- What is in hand, and may have begun too early, is not what its holder ends.
    if mode == 'again' then redis.call('HSET', jobs, 'version|' .. id, new_version(state)) end
    return
  end
  if score == 'due' then score = whole(not_before) end
  if score == 'next' then score = whole(redis.call('HINCRBY', state, 'number', 1)) end
  redis.call('ZADD', order, score, id)
  redis.call('HSET', jobs, 'body|' .. id, body, 'not_before|' .. id, whole(not_before),
    'version|' .. id, new_version(state))
  redis.call('HSETNX', jobs, 'since|' .. id, whole(now))
  redis.call('HDEL', jobs, 'format|' .. id)
  redis.call('PERSIST', state)
  settle(name)
end
local function drop(name, id)
  local order, jobs, state = queue_keys(name)
  redis.call('ZREM', order, id)
  redis.call('HDEL', jobs, 'body|' .. id, 'not_before|' .. id, 'version|' .. id, 'since|' .. id,
    'format|' .. id)
end
local function set_aside(name, key, beginning, lowest, highest)
  local order, jobs = queue_keys(name)
  for _, id in ipairs(redis.call('ZRANGEBYSCORE', order, lowest, highest)) do
    if id:sub(1, #beginning) == beginning then
      local body = redis.call('HGET', jobs, 'body|' .. id)
      if body then redis.call('HSET', key, id, redis.call('ZSCORE', order, id) .. ' ' .. body) end
      drop(name, id)
    end
  end
end
"""
)

# A step that is written before its link is known names it `@` in the first word of each operation.
_CHECKS = """
-- A letter a word: k a key, w anything, n a number, p a place in a list. After + comes what may come again.
local SHAPES = {
  append = 'wwpnww', bury = 'ww', drop = 'ww', hold = 'wkwnn', unhold = 'wk', hasten = 'wwn', adopt = 'kw',
  DEL = 'k', HDEL = 'k+w', HSET = 'k+ww', PEXPIRE = 'kn', SET = 'kw', ZADD = 'k+nw', ZREM = 'k+w',
  ZREMRANGEBYRANK = 'knn', keep_newest = 'kn'
}
local HOLDS = {
  HDEL = 'hash', HSET = 'hash', SET = 'string', ZADD = 'zset', ZREM = 'zset', ZREMRANGEBYRANK = 'zset',
  hold = 'hash', unhold = 'hash', adopt = 'list', keep_newest = 'hash'
}
local function fits(word, kind)
  if type(word) ~= 'string' then return false end
  if kind == 'p' and (word == 'next' or word == 'due') then return true end
  return kind == 'k' or kind == 'w' or word:find('^-?%d+%.?%d*$') ~= nil
end
local function is_shaped(words, shape)
  local fixed, more = shape:match('^(%a*)%+?(%a*)$')
  local rest = #words - #fixed
  if more == '' and rest ~= 0 then return false end
  if more ~= '' and (rest <= 0 or rest % #more ~= 0) then return false end
  for i, word in ipairs(words) do
    local at = i <= #fixed and fixed:byte(i) or more:byte((i - #fixed - 1) % #more + 1)
    if not fits(word, string.char(at)) then return false end
  end
  return true
end
local function is_right(step)
  local op, words = step[1], {unpack(step, 2)}
  if op == 'expiring' then
    op = words[3]
    if not fits(words[2], 'n') then return false end
    words = {words[1], unpack(words, 4)}
  end
  local shape = SHAPES[op]
  if not shape or not is_shaped(words, shape) then return false end
  if not HOLDS[op] then return true end
  local kind = redis.call('TYPE', words[shape:find('k')]).ok
  return kind == 'none' or kind == HOLDS[op]
end
local function named(word, link)
  local at = word:find('@', 1, true)
  return at and word:sub(1, at - 1) .. link .. word:sub(at + 1) or word
end
local function checked(encoded, link)
  local steps = cjson.decode(encoded)
  for _, step in ipairs(steps) do
    if link then step[2] = named(step[2], link) end
    if not is_right(step) then error('not a step: ' .. tostring(step[1]) .. ' ' .. tostring(step[2]), 0) end
  end
  return steps
end
"""

# A dead letter is kept under an id of its own, so that one can be sent again; `letters` reads them.
_LETTERS = f"""
local letters, letters_order = prefix .. 'dead_letters', prefix .. 'dead_letters:order'
local function forget_letters(ids)
  for _, id in ipairs(ids) do
    redis.call('HDEL', letters, id)
    redis.call('ZREM', letters_order, id)
  end
end
local function bury(id, letter)
  redis.call('HSET', letters, id, letter)
  redis.call('ZADD', letters_order, whole(now), id)
  forget_letters(redis.call('ZRANGEBYSCORE', letters_order, '-inf', whole(now - {LETTERS_MS})))
  forget_letters(redis.call('ZRANGE', letters_order, 0, -{MOST_LETTERS} - 1))
  redis.call('PEXPIRE', letters, {LETTERS_MS})
  redis.call('PEXPIRE', letters_order, {LETTERS_MS})
end
"""

_OPERATIONS = """
local ops = {}
local function run(steps)
  for _, step in ipairs(steps) do
    local op = table.remove(step, 1)
    if ops[op] then ops[op](unpack(step)) else redis.call(op, unpack(step)) end
  end
end
function ops.append(name, id, score, delay, mode, body) put(name, id, score, delay, mode, body) end
function ops.bury(id, letter) bury(id, letter) end
function ops.drop(name, id) drop(name, id) settle(name) end
function ops.hold(name, key, beginning, lowest, highest)
  set_aside(name, key, beginning, lowest, highest)
  settle(name)
end
function ops.unhold(name, key)
  local held = redis.call('HGETALL', key)
  redis.call('DEL', key)
  for i = 1, #held, 2 do
    local score, body = held[i + 1]:match('^(%S+) (.*)$')
    if score then put(name, held[i], score, '0', 'new', body) end
  end
end
function ops.hasten(name, beginning, longest)
  local order, jobs, state = queue_keys(name)
  local head = head_of(name)
  if not head or head:sub(1, #beginning) ~= beginning then return end
  if redis.call('HEXISTS', state, 'attempt_job') == 1 then return end
  local left = tonumber(redis.call('HGET', jobs, 'not_before|' .. head) or '0') - now
  if left > 0 and left <= tonumber(longest) then
    redis.call('HSET', jobs, 'not_before|' .. head, '0')
    settle(name)
  end
end
function ops.expiring(key, ms, command, ...)
  redis.call(command, key, ...)
  redis.call('PEXPIRE', key, ms)
end
function ops.keep_newest(key, most)
  most = tonumber(most)
  -- Not at each write: sorting costs.
  if redis.call('HLEN', key) < 2 * most then return end
  local fields = redis.call('HKEYS', key)
  table.sort(fields)
  for i = 1, #fields - most do redis.call('HDEL', key, fields[i]) end
end
function ops.adopt(kept, link)
  for at, entry in ipairs(redis.call('LRANGE', kept, 0, -1)) do
    local is_good, steps = pcall(checked, entry, link)
    if is_good then
      run(steps)
    else
      -- Another version has kept it. It must not stop the link from being made, and becomes a job of its own,
      -- which stands where the job in it would stand.
      local id, score = 'parked:' .. whole(now) .. ':' .. at, 'next'
      local is_json, operations = pcall(cjson.decode, entry)
      for _, step in ipairs(is_json and type(operations) == 'table' and operations or {}) do
        if type(step) == 'table' and step[2] == 'to_coder:@' and tonumber(step[4]) then score = step[4] end
      end
      local work = {kind = 'parked_batch', batch = entry}
      put('to_coder:' .. link, id, score, '0', 'new', cjson.encode({id = id, work = work}))
    end
  end
  redis.call('DEL', kept)
  -- Nobody has to look for the thread any more.
  local lost = 'lost_threads:' .. kept:sub(#prefix + #'parked:' + 1)
  for _, id in ipairs(redis.call('ZRANGE', (queue_keys(lost)), 0, -1)) do drop(lost, id) end
  settle(lost)
end
"""

LUA = _LISTS + _LETTERS + _CHECKS + _OPERATIONS

Word = str | int


class Batch:
    """Operations that happen together. Built by whoever decides, carried out by one Lua call."""

    def __init__(self) -> None:
        self._operations: list[list[str]] = []

    def write(self, command: Command, key: str, *words: Word) -> Self:
        """A plain Redis write."""
        self._operations.append([command, key, *map(str, words)])
        return self

    def write_expiring(self, ttl_ms: int, command: Command, key: str, *words: Word) -> Self:
        """A plain Redis write to a key that ends by itself."""
        self._operations.append(["expiring", key, str(ttl_ms), command, *map(str, words)])
        return self

    def append(
        self, name: QueueName, job: Job, *, score: Word = "next", delay_ms: int = 0, is_newest: bool = False
    ) -> Self:
        """Append a job to a list, once by its id; `is_newest` replaces what waits under that id instead.

        `score` is its place: a number, "next" for after all others, "due" for the order of due times.
        """
        mode = "newest" if is_newest else "new"
        body = job.model_dump_json()
        self._operations.append(["append", name, job.id, str(score), str(delay_ms), mode, body])
        return self

    def redo(self, name: QueueName, job: Job, *, score: Word = "next") -> Self:
        """Have a job done from now on: one that waits keeps its place, one in hand is done once more."""
        self._operations.append(["append", name, job.id, str(score), "0", "again", job.model_dump_json()])
        return self

    def add_dead_letter(self, letter_id: str, letter: str) -> Self:
        """Keep a dead letter; the oldest go where there are too many."""
        self._operations.append(["bury", letter_id, letter])
        return self

    def drop(self, name: QueueName, job_id: str) -> Self:
        """Take a job out of its list, done or not."""
        self._operations.append(["drop", name, job_id])
        return self

    def hold(self, name: QueueName, key: str, prefix: str, lowest: Word, highest: Word) -> Self:
        """Put aside the jobs whose ids begin so and that have these scores, until `unhold`."""
        self._operations.append(["hold", name, key, prefix, str(lowest), str(highest)])
        return self

    def unhold(self, name: QueueName, key: str) -> Self:
        """Bring back what `hold` put aside, each in its old place."""
        self._operations.append(["unhold", name, key])
        return self

    def hasten_input(self, name: QueueName, longest_ms: int = BUSY_MS) -> Self:
        """Let a reply that waits no longer than this be tried now."""
        self._operations.append(["hasten", name, REPLY, str(longest_ms)])
        return self

    def keep_newest(self, key: str, most: int) -> Self:
        """Keep of a hash's fields, which are ts, at least so many and at most twice as many: the newest."""
        self._operations.append(["keep_newest", key, str(most)])
        return self

    def adopt(self, kept: str, link: str) -> Self:
        """Take over the messages that arrived before the link knew its thread."""
        self._operations.append(["adopt", kept, link])
        return self

    def as_kept(self, kept: str, link: str) -> Self:
        """Do what was kept for a link before it knew its thread; ValueError if that is no step at all."""
        for operation, first, *words in json.loads(kept):
            self._operations.append([operation, first.replace("@", link, 1), *words])
        return self

    def encoded(self, mask_stored: Callable[[str], str] = str) -> str:
        """The step as a script reads it; our own tokens stay outside.

        Keys pass too: the settings refuse a prefix that holds a token.

        `mask_stored` takes a JSON text and returns one that differs in its strings alone.
        """
        return mask_stored(json.dumps(self._operations))
