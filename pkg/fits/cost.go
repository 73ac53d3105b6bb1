package fits

import (
	"strings"
	"time"
)

// Cost says what reading from a store costs; it decides how the bytes of a box are read.
//
// n requests of b bytes in all take about
//
//	⌈n/Parallel⌉ · Latency + b/Bandwidth + n · Overhead
//
// so one request more costs as much time as reading Bandwidth · (Latency/Parallel +
// Overhead) bytes: runs of pixels that lie closer together than that are read in one
// request with what lies between them, others in requests of their own. Requests run at
// once, so a cutout whose ranges fit Parallel and Memory takes one round trip.
//
// A file is a store without latency, whose reads cost the call alone. The rule is the
// same; only the numbers differ.
type Cost struct {
	Latency   time.Duration // from the request to its first byte
	Bandwidth float64       // bytes per second, of all requests together
	Overhead  time.Duration // work for each request, however many run at once
	Parallel  int           // requests under way at once, at most
	Memory    int64         // bytes under way at once, at most; a request asks for an eighth of it or, if Parallel is 1, for all
}

// The costs of usual stores.
var (
	// Local is a file in the page cache: a read takes as long as copying some 6 KB from
	// main memory, and what is read at once stays in the cache of a core until it is
	// passed on. Several reads at once are slower.
	Local = Cost{Bandwidth: 6e9, Overhead: time.Microsecond, Parallel: 1, Memory: 256 << 10}

	// Bucket is an object store in the same region, which takes many requests at once.
	Bucket = Cost{Latency: 25 * time.Millisecond, Bandwidth: 200e6, Overhead: 150 * time.Microsecond, Parallel: 256, Memory: 8 << 20}

	// Web is a server of somebody else, who may mind many connections.
	Web = Cost{Latency: 50 * time.Millisecond, Bandwidth: 50e6, Overhead: 100 * time.Microsecond, Parallel: 16, Memory: 8 << 20}
)

// CostOf returns the usual cost of a place, a path or URL: Local for files, Web for http
// and https, Bucket for other schemes.
func CostOf(place string) Cost {
	switch scheme, _, ok := strings.Cut(place, "://"); {
	case !ok || scheme == "file":
		return Local
	case scheme == "http" || scheme == "https":
		return Web
	}
	return Bucket
}

// gap returns how many bytes are read rather than making one request more.
func (c Cost) gap() int64 {
	request := c.Latency/time.Duration(c.requests()) + c.Overhead
	return int64(min(request.Seconds()*c.Bandwidth, 1<<40))
}

// ahead returns how many bytes more a request may bring on the chance that they spare the
// next one: they make it last a sixteenth longer than its latency.
func (c Cost) ahead() int64 {
	return int64(min(c.Latency.Seconds()*c.Bandwidth/16, maxAhead))
}

const maxAhead = 1 << 20

// chunk returns the bytes of the largest request.
func (c Cost) chunk() int64 {
	return max(c.Memory/int64(min(c.requests(), 8)), leastChunk)
}

func (c Cost) requests() int { return max(c.Parallel, 1) }

// leastChunk keeps a stream going whatever a Cost says.
const leastChunk = 16
