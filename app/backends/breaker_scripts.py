"""What all processes know together of a breaker, as Valkey's scripts; and how seldom a system that is down is asked."""

from app.backends.recent import SLOTS

# A system that is down for long is asked the more seldom: after a six-hundredth of its outage, two minutes at most. An
# hour later its return is seen within 6 s, and 72 hours cost four thousand calls.
OUTAGE_SHARE, LONGEST_PAUSE_S = 1 / 600, 120.0

# All count by Valkey's clock; `limit` (ms) undoes what a step of that clock would make of it.
FAILED = """
local key, threshold, first, longest, asked, probe, keep, worked, span, least, share = KEYS[1], unpack(ARGV)
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local count = redis.call('HINCRBY', key, 'failures', 1)
local slot = math.floor(now * SLOTS / tonumber(span))
redis.call('HINCRBY', key, 'w' .. slot, worked)
redis.call('HINCRBY', key, 'f' .. slot, 1)
local fields, calls, failed, why = redis.call('HGETALL', key), 0, 0, ''
for place = 1, #fields, 2 do
  local kind, when = string.match(fields[place], '^([wf])(%d+)$')
  if kind and (tonumber(when) > slot or tonumber(when) <= slot - SLOTS) then redis.call('HDEL', key, fields[place])
  elseif kind then
    calls = calls + tonumber(fields[place + 1])
    if kind == 'f' then failed = failed + tonumber(fields[place + 1]) end
  end
end
local opens = tonumber(redis.call('HGET', key, 'opens') or '-1')
local pause = tonumber(redis.call('HGET', key, 'pause') or '0')
first, longest, asked = tonumber(first), tonumber(longest), tonumber(asked)
if probe == '1' then
  local down = now - tonumber(redis.call('HGET', key, 'since') or now)
  longest = math.max(longest, math.min(down * OUTAGE_SHARE, LONGEST_PAUSE_MS))
  pause = math.min(longest, math.max(pause * 2, first))
  opens = now + math.max(pause, asked)
  redis.call('DEL', KEYS[2])
elseif opens < 0 then
  if count >= tonumber(threshold) then
    why, calls, failed = 'in_a_row', count, count
  elseif calls >= tonumber(least) and failed >= tonumber(share) * calls then why = 'share'
  elseif asked > 0 then why = 'asked' end
  if why ~= '' then
    pause = first
    opens = now + math.max(pause, asked)
    redis.call('HSET', key, 'why', why, 'calls', calls, 'failed', failed, 'since', now)
  end
elseif opens >= 0 and asked > 0 then
  opens = math.max(opens, now + asked)
end
redis.call('HSET', key, 'opens', opens, 'pause', pause)
redis.call('EXPIRE', key, opens < 0 and keep or 5 * keep)
return {count, opens < 0 and -1 or math.max(opens - now, 0), redis.call('HGET', key, 'why') or ''}
"""
for _name, _value in (("SLOTS", SLOTS), ("OUTAGE_SHARE", OUTAGE_SHARE), ("LONGEST_PAUSE_MS", 1000 * LONGEST_PAUSE_S)):
    FAILED = FAILED.replace(_name, str(_value))
# -1: closed. 0: the caller is the probe. Else so many ms to wait.
ENTER = """
local opens = tonumber(redis.call('HGET', KEYS[1], 'opens') or '-1')
if opens < 0 then return -1 end
local clock = redis.call('TIME')
local left = opens - clock[1] * 1000 - math.floor(clock[2] / 1000)
if left > 0 and left <= tonumber(ARGV[2]) then return left end
if redis.call('SET', KEYS[2], '1', 'NX', 'PX', ARGV[1]) then return 0 end
return tonumber(ARGV[3])
"""
STEP_BACK = "return redis.call('DEL', KEYS[2])"
# Whom a share of failures shut out a probe alone lets in again: that some calls work was known. 1: it is closed.
ANSWERED = """
local open = tonumber(redis.call('HGET', KEYS[1], 'opens') or '-1') >= 0
if open and ARGV[1] ~= '1' and redis.call('HGET', KEYS[1], 'why') == 'share' then return 0 end
if open then redis.call('DEL', KEYS[1], KEYS[2]) else redis.call('HDEL', KEYS[1], 'failures') end
return 1
"""
# The next call is a probe, whatever was left of the pause. Gives what each that is open opened for.
HASTEN = """
local why = {}
for place, key in ipairs(KEYS) do
  why[place] = ''
  if tonumber(redis.call('HGET', key, 'opens') or '-1') >= 0 then
    redis.call('HSET', key, 'opens', 0)
    why[place] = redis.call('HGET', key, 'why') or ''
  end
end
return why
"""
STATES = """
local found, clock = {}, redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
for place, key in ipairs(KEYS) do
  local told = redis.call('HMGET', key, 'failures', 'opens', 'why', 'failed', 'calls')
  local opens = tonumber(told[2] or '-1')
  local left = opens < 0 and -1 or math.max(opens - now, 0)
  found[place] = {tonumber(told[1] or '0'), left, told[3] or '', tonumber(told[4] or '0'), tonumber(told[5] or '0')}
end
return found
"""
