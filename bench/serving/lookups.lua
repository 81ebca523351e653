-- Random known ids for wrk: 60 of 100 transactions, 20 orders, 18 pages of users' wallets, 2 pages of shops' wallets.
-- wrk ... -s lookups.lua http://HOST -- LEDGER_ROWS USERS SHOPS; prints one line of JSON at the end.
local threads = 0

function setup(thread)
  threads = threads + 1
  thread:set("number", threads)
end

function init(args)
  rows, users, shops = tonumber(args[1]), tonumber(args[2]), tonumber(args[3])
  math.randomseed(1000 + number)
end

local function key(n)
  return string.format("%d", n * 48271 % 2147483647)
end

function request()
  local which, path = math.random(100), nil
  if which <= 60 then
    path = "/admin/tx/tx-" .. key(math.random(rows))
  elseif which <= 80 then
    path = "/admin/payment-orders/po-" .. key(math.random(rows / 2))
  elseif which <= 98 then
    path = "/admin/wallets/user-" .. math.random(0, users - 1) .. "/tx"
  else
    path = "/admin/wallets/shop-" .. math.random(0, shops - 1) .. "/tx"
  end
  return wrk.format("GET", path)
end

function done(summary, latency, requests)
  local e = summary.errors
  io.write(string.format(
    '{"requests":%d,"seconds":%.3f,"p50_ms":%.2f,"p95_ms":%.2f,"p99_ms":%.2f,"max_ms":%.2f,"bad_status":%d,"socket_errors":%d}\n',
    summary.requests, summary.duration / 1e6, latency:percentile(50) / 1e3, latency:percentile(95) / 1e3,
    latency:percentile(99) / 1e3, latency.max / 1e3, e.status, e.connect + e.read + e.write + e.timeout))
end
