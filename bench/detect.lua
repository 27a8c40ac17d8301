-- Posts pictures to the HTTP door in turns, for wrk: wrk … -s bench/detect.lua URL -- PICTURE…
-- Its figures are one line of JSON behind wrk's own report.
local requests, last = {}, 0

function init(pictures)
  for i, name in ipairs(pictures) do
    local file = assert(io.open(name, "rb"))
    requests[i] = wrk.format("POST", "/v1/detect", nil, file:read("*a"))
    file:close()
  end
end

function request()
  last = last % #requests + 1
  return requests[last]
end

function done(summary, latency)
  local e = summary.errors
  io.write(string.format('{"requests": %d, "seconds": %f, "failed": %d, "p50_ms": %f, "p99_ms": %f}\n',
    summary.requests, summary.duration / 1e6, e.connect + e.read + e.write + e.status + e.timeout,
    latency:percentile(50) / 1e3, latency:percentile(99) / 1e3))
end
