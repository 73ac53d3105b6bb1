// Package faulty holds ports that fail as a test plans: a store, a queue, a bucket, an
// archive, holdings, a signer and HTTP, each around a true one. Of each call the [Plan]
// decides whether it fails before anything is done, or is done and its answer lost, or is
// late, or hangs.
//
// A worker that is lost is a plan whose every call fails from some call on, as if it were cut
// off: what it does after that reaches nobody. A port of another kind is one more method of
// Plan that passes its calls through [Plan.Do]. The tests of this package, TestFault…, lose
// and repeat what can be lost and repeated, over every backend, and no job with it.
package faulty

import (
	"context"
	"sync"
	"time"

	"github.com/seltzer-soda/seltzer/pkg/fault"
)

// Kind is what happens to a call.
type Kind int

// The kinds of fault.
const (
	Before Kind = iota // nothing is done, and the call fails
	After              // the call is done, and its answer is lost
	Late               // the call is done after a time
	Hang               // nothing is done until the call's context ends
)

// Fault is one fault of a plan.
type Fault struct {
	Kind   Kind
	Method string        // such as "jobs.Update"; "" is any
	N      int           // the n-th call of the method since the plan began, from 1; 0 is every call
	Delay  time.Duration // of Late
	Cut    bool          // from then on every call fails before anything is done, until Heal
	Then   func()        // called when the fault is met, before an answer is lost; may be nil
}

// Plan is shared by the ports of one process. The zero Plan has no faults.
type Plan struct {
	mu     sync.Mutex
	faults []Fault
	calls  map[string]int
	cut    bool
	met    int
}

// Add adds faults. Of several that a call meets the first counts.
func (p *Plan) Add(faults ...Fault) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.faults = append(p.faults, faults...)
}

// Heal ends all faults. Calls are counted on.
func (p *Plan) Heal() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.faults, p.cut = nil, false
}

// Calls returns how many calls of a method there were, "" for all methods.
func (p *Plan) Calls(method string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.calls[method]
}

// Met returns how many calls met a fault, without those that failed because of a cut before.
func (p *Plan) Met() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.met
}

func errFault(method string, kind string) error {
	return fault.New(fault.Unavailable, "faulty."+method, "%s, as the test plans", kind)
}

// next counts a call and finds the fault that it meets, if any.
func (p *Plan) next(method string) (f Fault, met, cut bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.calls == nil {
		p.calls = map[string]int{}
	}
	p.calls[method]++
	p.calls[""]++
	if p.cut {
		return f, false, true
	}
	for _, f := range p.faults {
		if (f.Method == "" || f.Method == method) && (f.N == 0 || f.N == p.calls[f.Method]) {
			p.met++
			p.cut = p.cut || f.Cut
			return f, true, false
		}
	}
	return f, false, false
}

// Do is a call of a method: it calls do, or not, as is planned.
func (p *Plan) Do(ctx context.Context, method string, do func(ctx context.Context) error) error {
	f, met, cut := p.next(method)
	switch {
	case cut:
		return errFault(method, "cut off")
	case !met:
		return do(ctx)
	case f.Kind == After:
		if err := do(ctx); err != nil {
			return err
		}
	case f.Kind == Late:
		select {
		case <-time.After(f.Delay):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if f.Then != nil {
		f.Then()
	}
	switch f.Kind {
	case After:
		return errFault(method, "the answer was lost")
	case Late:
		return do(ctx)
	case Hang:
		<-ctx.Done()
		return ctx.Err()
	}
	return errFault(method, "failed")
}
