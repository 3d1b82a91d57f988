-- One change of one value of a handler's store.
--
-- KEYS: the hash of values, the sorted set of keys, the bytes that the handler keeps, the name of this very change
-- ARGV: set, delete, increment or swap; the key; the value, or what to add; the quota; the cost of an entry beside its
--       bytes; for swap what has to be there, or nothing where there must be no key
-- Answer: a word and a number, or an empty text
local values, keys, used, once = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local kind, key, given, quota, entry, expected = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6]

-- What must not be done twice is known again, should it be sent again, for a minute.
local remembered = kind == 'increment' or kind == 'swap'
local function answer(word, number)
  if remembered then
    redis.call('SET', once, word .. ' ' .. number, 'EX', 60)
  end
  return { word, number }
end
if remembered then
  local told = redis.call('GET', once)
  if told then
    local word, number = string.match(told, '^(%S+) (.*)$')
    return { word, number }
  end
end

-- False where there is no such key.
local old = redis.call('HGET', values, key)
if kind == 'swap' and old ~= (expected or false) then
  return answer('other', '')
end

local new = given
if kind == 'delete' then
  new = false
elseif kind == 'increment' then
  -- The server adds, since a number of Lua's has 53 bits.
  local sum = redis.pcall('HINCRBY', values, key, given)
  if type(sum) == 'table' and sum.err then
    if string.find(sum.err, 'overflow', 1, true) then
      return answer('overflow', '')
    elseif string.find(sum.err, 'not an integer', 1, true) then
      return answer('no-number', '')
    end
    return sum
  end
  new = redis.call('HGET', values, key)
end

local function cost(value)
  return value and #key + #value + tonumber(entry) or 0
end
local total = math.max(tonumber(redis.call('GET', used) or '0') - cost(old), 0) + cost(new)
if cost(new) > cost(old) and total > tonumber(quota) then
  if kind == 'increment' then
    if old then redis.call('HSET', values, key, old) else redis.call('HDEL', values, key) end
  end
  return answer('full', string.format('%.0f', total))
end

if new then
  redis.call('HSET', values, key, new)
  redis.call('ZADD', keys, 0, key)
else
  redis.call('HDEL', values, key)
  redis.call('ZREM', keys, key)
end
if total > 0 then
  redis.call('SET', used, string.format('%.0f', total))
else
  redis.call('DEL', used)
end
return answer('done', kind == 'increment' and new or '')
