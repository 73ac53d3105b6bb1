package fits

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"

	"github.com/seltzer-soda/seltzer/pkg/fault"
)

// window holds the bytes of the file that were read last. It goes forward only, as an
// inflating reader must.
type window struct {
	r       io.ReaderAt
	cost    Cost
	size    func() int64 // -1 while nobody knows
	start   int64
	buf     []byte
	end     bool    // the window reaches the end of the file
	guesses []guess // in the order of the file
}

// guess is a range that was read because a header was expected there.
type guess struct {
	start int64
	buf   []byte
}

const mostGuesses = 15

var windows = sync.Pool{New: func() any { return new(window) }}

func newWindow(r io.ReaderAt, cost Cost, size func() int64) *window {
	w := windows.Get().(*window)
	*w = window{r: r, cost: cost, size: size, buf: w.buf[:0]}
	return w
}

// free gives the memory of w to another.
func (w *window) free() {
	if cap(w.buf) > 4*firstRead {
		w.buf = nil
	}
	w.r, w.size, w.guesses = nil, nil, nil
	windows.Put(w)
}

// least returns the bytes of the smallest request at offset.
func (w *window) least(offset int64) int64 {
	if offset == 0 && w.cost.Latency > 0 {
		return max(firstRead, w.cost.ahead())
	}
	return max(nextRead, w.cost.ahead())
}

// expect reads at offset and at up to n places more, stride bytes apart, at once, if the
// store takes requests at once and nothing of these bytes was read yet: the HDUs of a
// mosaic often have one size.
func (w *window) expect(offset, stride int64, n int) {
	size := w.size()
	n = min(n, mostGuesses, w.cost.requests()-1)
	if n < 1 || stride < 1 || size < 0 || w.seek(offset) {
		return
	}
	var under sync.WaitGroup
	w.guesses = make([]guess, 0, n+1)
	for at := offset; len(w.guesses) <= n && at < size; at += stride {
		w.guesses = append(w.guesses, guess{at, make([]byte, min(w.least(at), size-at))})
		g := &w.guesses[len(w.guesses)-1]
		under.Go(func() {
			// What fails is read again, by who needs it and gives its error.
			if n, _ := w.r.ReadAt(g.buf, g.start); n < len(g.buf) {
				g.buf = nil
			}
		})
		if stride > size-at {
			break
		}
	}
	under.Wait()
}

// seek moves the window to where offset was read, if it was.
func (w *window) seek(offset int64) bool {
	if offset >= w.start && offset < w.start+int64(len(w.buf)) {
		return true
	}
	for len(w.guesses) > 0 && w.guesses[0].start <= offset {
		g := w.guesses[0]
		w.guesses = w.guesses[1:]
		if offset < g.start+int64(len(g.buf)) {
			w.start, w.buf, w.end = g.start, g.buf, false
			return true
		}
	}
	return false
}

// at returns n bytes from offset on, fewer only where the file ends; they stay valid
// until the next call. offset must not lie before that of an earlier call.
func (w *window) at(offset, n int64) ([]byte, error) {
	if !w.seek(offset) && (offset > w.start+int64(len(w.buf)) || len(w.buf) == 0) {
		w.start, w.buf, w.end = offset, w.buf[:0], false
	}
	if skip := offset - w.start; skip > 0 && w.start+int64(len(w.buf)) < offset+n {
		w.buf = w.buf[:copy(w.buf, w.buf[skip:])]
		w.start = offset
	}
	if missing := offset + n - w.start - int64(len(w.buf)); missing > 0 && !w.end {
		if err := w.fill(max(missing, w.least(w.start+int64(len(w.buf))))); err != nil {
			return nil, err
		}
	}
	have := w.buf[min(offset-w.start, int64(len(w.buf))):]
	return have[:min(n, int64(len(have)))], nil
}

// peek returns n bytes from offset on if they were read, else nil.
func (w *window) peek(offset, n int64) []byte {
	if offset < w.start || offset+n > w.start+int64(len(w.buf)) {
		return nil
	}
	return w.buf[offset-w.start:][:n]
}

// fill reads n more bytes behind the window.
func (w *window) fill(n int64) error {
	from := w.start + int64(len(w.buf))
	if size := w.size(); size >= 0 {
		n = max(0, min(n, size-from))
	}
	if n == 0 {
		w.end = true
		return nil
	}
	old := len(w.buf)
	w.buf = slices.Grow(w.buf, int(n))[:old+int(n)]
	got, err := w.r.ReadAt(w.buf[old:], from)
	w.buf = w.buf[:old+got]
	if int64(got) == n {
		return nil
	}
	if size := w.size(); errors.Is(err, io.EOF) && (size < 0 || from+int64(got) == size) {
		w.end = true
		return nil
	} else if errors.Is(err, io.EOF) || err == nil {
		return fault.New(fault.Corrupt, "fits.ReadIndex", "the file should have %d bytes but ends after %d; fetch it again", size, from+int64(got))
	}
	return fmt.Errorf("fits.ReadIndex: bytes %d to %d: %w", from, from+n-1, err)
}
