package tracefile

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/seltzer-soda/seltzer/pkg/fault"
)

// node is a span among those below it.
type node struct {
	Span
	below []*node
}

// Table prints one trace of spans, indented, with the milliseconds of each span from its
// start, and of its own: without those below it. At the end stands the sum of the own times
// of those that wait for nobody: what the service itself computed.
//
// trace is the beginning of the trace's id; "" is the trace that began last. The error is
// [fault.NotFound] or [fault.Usage], or that of w.
func Table(w io.Writer, spans []Span, trace string) error {
	id, err := choose(spans, trace)
	if err != nil {
		return err
	}
	roots := tree(spans, id)
	began, ended := roots[0].Start, roots[0].End
	var all, own time.Duration
	n, computing := 0, 0
	var b strings.Builder
	fmt.Fprintf(&b, "trace %s of %s\n\n%10s %10s %10s\n", id, began.Format(time.RFC3339), "at ms", "ms", "own ms")
	var print func(s *node, depth int)
	print = func(s *node, depth int) {
		n++
		self := s.own()
		mark := ""
		if s.Waits {
			mark = "  (waits)"
		} else {
			computing++
			own += self
		}
		if s.Failed {
			mark += "  (failed)"
		}
		if s.End.After(ended) {
			ended = s.End
		}
		fmt.Fprintf(&b, "%10.2f %10.2f %10.2f  %s%s%s%s\n", ms(s.Start.Sub(began)), ms(s.End.Sub(s.Start)), ms(self), strings.Repeat("  ", depth), s.Name, mark, about(s.Attributes))
		for _, child := range s.below {
			print(child, depth+1)
		}
	}
	for _, root := range roots {
		print(root, 0)
	}
	all = ended.Sub(began)
	fmt.Fprintf(&b, "\n%d spans in %.2f ms; the %d that wait for no call, commit or disk: %.2f ms in all\n", n, ms(all), computing, ms(own))
	_, err = io.WriteString(w, b.String())
	return err
}

// choose returns the id of the trace that was asked for.
func choose(spans []Span, trace string) (string, error) {
	starts := map[string]time.Time{}
	for _, s := range spans {
		if first, ok := starts[s.Trace]; strings.HasPrefix(s.Trace, trace) && (!ok || s.Start.Before(first)) {
			starts[s.Trace] = s.Start
		}
	}
	ids := slices.SortedFunc(maps.Keys(starts), func(a, b string) int { return cmp.Or(starts[a].Compare(starts[b]), cmp.Compare(a, b)) })
	switch {
	case len(ids) == 0 && trace == "":
		return "", fault.New(fault.NotFound, "tracefile.Table", "the file holds no trace")
	case len(ids) == 0:
		return "", fault.New(fault.NotFound, "tracefile.Table", "the file holds no trace %q", trace)
	case len(ids) > 1 && trace != "":
		return "", fault.New(fault.Usage, "tracefile.Table", "%d traces begin with %q; want more of the id", len(ids), trace)
	}
	return ids[len(ids)-1], nil
}

// tree puts the spans of a trace below their parents, by their starts. A span whose parent is
// not there is a root, and so is the first of a circle, which no program of ours writes.
func tree(spans []Span, trace string) (roots []*node) {
	nodes := map[string]*node{}
	var all []*node
	for _, s := range spans {
		if s.Trace != trace || nodes[s.ID] != nil {
			continue
		}
		n := &node{Span: s}
		nodes[s.ID] = n
		all = append(all, n)
	}
	slices.SortStableFunc(all, func(a, b *node) int { return cmp.Or(a.Start.Compare(b.Start), b.End.Compare(a.End)) })
	circular := func(n *node) bool {
		for p, steps := nodes[n.Parent], 0; p != nil; p, steps = nodes[p.Parent], steps+1 {
			if p == n || steps > len(all) {
				return true
			}
		}
		return false
	}
	for _, n := range all {
		p := nodes[n.Parent]
		if p != nil && circular(n) {
			p = nil
		}
		if n.Received {
			p = first(p, nodes)
		}
		if p != nil {
			p.below = append(p.below, n)
		} else {
			roots = append(roots, n)
		}
	}
	return roots
}

// first returns the span below which the work on a message stands that was sent below p: the
// parts of a batch, each of which is started by the one before, stand beside each other.
func first(p *node, nodes map[string]*node) *node {
	for q := p; q != nil; q = nodes[q.Parent] {
		if q.Received {
			p = nodes[q.Parent]
		}
	}
	return p
}

// own returns the time of a span in which none below it was under way.
func (n *node) own() time.Duration {
	own, at := n.End.Sub(n.Start), n.Start
	for _, c := range n.below { // by their starts
		from, to := c.Start, c.End
		if from.Before(at) {
			from = at
		}
		if to.After(n.End) {
			to = n.End
		}
		if to.After(from) {
			own -= to.Sub(from)
			at = to
		}
	}
	return own
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// about writes the attributes of a span that say something of their own, in the order of
// their names.
func about(attributes map[string]string) string {
	var b strings.Builder
	for _, key := range slices.Sorted(maps.Keys(attributes)) {
		if strings.HasPrefix(key, "http.") && key != "http.response.status_code" {
			continue // in the name
		}
		fmt.Fprintf(&b, "  %s=%s", strings.TrimPrefix(strings.TrimPrefix(key, "seltzer."), "http.response."), attributes[key])
	}
	return b.String()
}
