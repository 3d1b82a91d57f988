-- Grants an event, unless it was handled or runs.
-- KEYS[1]: the event. ARGV: the grant's name, how long the lease lasts and how long to remember it after that, in ms.
-- Gives {'granted', attempt}, {'running', ms until the lease is over} or {'done', 0}.
-- The value is 'done', or 'ATTEMPT UNTIL GRANT', where UNTIL is in ms since 1970 and 0 when the event is free.
local value = redis.call('GET', KEYS[1])
if value == 'done' then
  return {'done', 0}
end
-- The server's clock, so that those of the hosts need not agree.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local attempt = 1
if value then
  local attempts, ends, grant = string.match(value, '^(%d+) (%d+) (.*)$')
  if grant == ARGV[1] then
    -- Asked again, because the answer was lost.
    attempt = tonumber(attempts)
  elseif tonumber(ends) > now then
    return {'running', tonumber(ends) - now}
  else
    attempt = tonumber(attempts) + 1
  end
end
local leased = string.format('%d %.0f %s', attempt, now + ARGV[2], ARGV[1])
redis.call('SET', KEYS[1], leased, 'PX', ARGV[2] + ARGV[3])
return {'granted', attempt}
