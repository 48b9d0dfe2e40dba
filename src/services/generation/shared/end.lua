-- Ends a log that its owner does not go on with.
--
-- KEYS[1]  the log
-- ARGV[1]  milliseconds that it is kept from now on
-- ARGV[2]  the id of its newest event, as far as is known
-- ARGV[3], ARGV[4]  the two events that follow it
--
-- Replies as append.lua does. Where the newest event is another, or the log has ended, nothing is changed.

local key = KEYS[1]
local entry = redis.call('XREVRANGE', key, '+', '-', 'COUNT', 1)[1]
if not entry then
    return 0
end
local id = tonumber(string.match(entry[1], '^%d+'))
if entry[2][1] == 'last' then
    return -id
end
if id ~= tonumber(ARGV[2]) then
    return id
end
redis.call('XADD', key, (id + 1) .. '-0', 'event', ARGV[3])
redis.call('XADD', key, (id + 2) .. '-0', 'last', ARGV[4])
redis.call('PEXPIRE', key, ARGV[1])
redis.call('PUBLISH', key, id + 2)
return -(id + 2)
