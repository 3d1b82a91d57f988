-- Ends a lease. Nothing changes when it is asked again.
-- KEYS[1]: the event. ARGV: the grant's name, 'done', 'open' or 'given up', how long to remember it, in ms. Values as in claim.lua.
if ARGV[2] == 'done' then
  redis.call('SET', KEYS[1], 'done', 'PX', ARGV[3])
  return
end
local attempts, grant = string.match(redis.call('GET', KEYS[1]) or '', '^(%d+) %d+ (.*)$')
if grant == ARGV[1] and ARGV[2] == 'given up' then
  redis.call('DEL', KEYS[1])
elseif grant == ARGV[1] then
  redis.call('SET', KEYS[1], attempts .. ' 0 ', 'PX', ARGV[3])
end
