-- GCRA for one key. What is kept is its theoretical arrival time: the instant at which it will be as good as new, in
-- microseconds since 1970. All instances go by the clock of Redis.
--
-- KEYS[1]  the key
-- ARGV[1]  microseconds after which one more is allowed
-- ARGV[2]  how many may come at once
--
-- Replies {1, how many more may follow at once}, or {0, microseconds until one is allowed}.

local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local interval = tonumber(ARGV[1])
local full = interval * tonumber(ARGV[2])

local arrival = tonumber(redis.call('GET', KEYS[1]) or now)
-- No key can owe more than all of its quota, unless the quota was larger, or the clock was ahead.
arrival = math.min(math.max(arrival, now), now + full)

local after = arrival + interval
local wait = after - now - full
if wait > 0 then
    return {0, wait}
end
-- "%.0f", since a number becomes a text of 14 digits by itself.
redis.call('SET', KEYS[1], string.format('%.0f', after), 'PX', math.ceil((after - now) / 1000))
return {1, math.floor(-wait / interval)}
