-- Takes a place of a user, unless all are taken. A place that is not kept is free again after a while.
--
-- KEYS[1]  the user's places
-- ARGV[1]  the place
-- ARGV[2]  how many the user has
-- ARGV[3]  milliseconds for which it is taken
--
-- Replies 1, or 0 where all are taken.

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
if redis.call('ZCARD', KEYS[1]) >= tonumber(ARGV[2]) then
    return 0
end
redis.call('ZADD', KEYS[1], now + ARGV[3], ARGV[1])
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return 1
