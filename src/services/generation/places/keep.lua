-- Keeps places that are taken, also where they were forgotten.
--
-- KEYS     the places of users
-- ARGV[1]  milliseconds for which they are taken from now on
-- ARGV     after that, for each key, the place

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
for nth, key in ipairs(KEYS) do
    redis.call('ZADD', key, now + ARGV[1], ARGV[nth + 1])
    redis.call('PEXPIRE', key, ARGV[1])
end
