-- Reads a log.
--
-- KEYS[1]  the log
-- ARGV[1]  the id of the first event that is wanted
-- ARGV[2]  bytes after which no more events are read
--
-- Replies {the id of the newest event, negative where it is the last of all; the id that follows the events read; these
-- events, as they go over the wire}. Who wants to read on after the last event gets that event. Nil where there is no log.

local key, from, limit = KEYS[1], tonumber(ARGV[1]), tonumber(ARGV[2])
local entry = redis.call('XREVRANGE', key, '+', '-', 'COUNT', 1)[1]
if not entry then
    return false
end
local newest = tonumber(string.match(entry[1], '^%d+'))
local ended = entry[2][1] == 'last'
if ended and from > newest then
    return {-newest, newest + 1, entry[2][2]}
end

local events, bytes, next = {}, 0, from
while bytes < limit and next <= newest do
    for _, found in ipairs(redis.call('XRANGE', key, next .. '-0', '+', 'COUNT', 8)) do
        events[#events + 1] = found[2][2]
        bytes = bytes + #found[2][2]
        next = next + 1
        if bytes >= limit then
            break
        end
    end
end
return {ended and -newest or newest, next, table.concat(events)}
