-- Appends events to logs. Every entry of a log has the id of its event, so that appending twice is the same as once; the
-- last entry of all has the field "last", every other the field "event".
--
-- KEYS  the logs
-- ARGV  for each log: milliseconds that it is kept from now on, the id of the first event, "last" or "event" for the last of
--       the events that follow, how many follow, and the events as they go over the wire
--
-- Nothing is appended to a log that has ended, or after a gap. Replies for each log with the id of its newest event, 0
-- where there is none, negative where it is the last of all.

local newest = {}
local at = 1
for log, key in ipairs(KEYS) do
    local ttl, first, kind, count = ARGV[at], tonumber(ARGV[at + 1]), ARGV[at + 2], tonumber(ARGV[at + 3])
    local events = at + 4
    at = events + count

    local id, ended = 0, false
    local entry = redis.call('XREVRANGE', key, '+', '-', 'COUNT', 1)[1]
    if entry then
        id = tonumber(string.match(entry[1], '^%d+'))
        ended = entry[2][1] == 'last'
    end
    local before = id
    if not ended and first <= id + 1 then
        for nth = id + 1 - first, count - 1 do
            local is_last = kind == 'last' and nth == count - 1
            id = first + nth
            redis.call('XADD', key, id .. '-0', is_last and 'last' or 'event', ARGV[events + nth])
            ended = ended or is_last
        end
        if id > 0 then
            redis.call('PEXPIRE', key, ttl)
        end
        if id > before then
            redis.call('PUBLISH', key, id)
        end
    end
    newest[log] = ended and -id or id
end
return newest
