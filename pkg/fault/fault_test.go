package fault

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"testing"
)

func TestErrorsKeepTheirKindAndSentence(t *testing.T) {
	disk := errors.New("disk on fire")
	for _, tt := range []struct {
		name            string
		err             error
		code            Code
		sentence, plain string
	}{
		{"one", New(Usage, "a.B", "radius %d; want more than 0", -1), Usage, "radius -1; want more than 0", "radius -1; want more than 0"},
		{"with the place it came through", fmt.Errorf("job j1: %w", New(NotFound, "a.B", "no such image")), NotFound, "no such image", "job j1: no such image"},
		{"the cause in its sentence", New(Corrupt, "a.B", "cannot read: %w", disk), Corrupt, "cannot read: disk on fire", "cannot read: disk on fire"},
		{"the cause out of its sentence", Wrap(disk, Unavailable, "a.B", "the store is down"), Unavailable, "the store is down", "the store is down: disk on fire"},
		{"one over another", New(Unsupported, "c.D", "HDU 1: %w", New(Corrupt, "a.B", "no CRPIX1")), Unsupported, "HDU 1: no CRPIX1", "HDU 1: no CRPIX1"},
		{"two at once", errors.Join(New(Usage, "a.B", "this"), New(Usage, "c.D", "that")), Usage, "this", "this\nthat"},
		{"a deadline", fmt.Errorf("reading: %w", context.DeadlineExceeded), Unavailable, "the service could not finish in time; ask again later", "reading: context deadline exceeded"},
		{"a stranger", disk, Internal, "something went wrong inside the service; the operators can find it in the log", "disk on fire"},
		{"ours, and nobody's business", New(Internal, "a.B", "nil map"), Internal, "something went wrong inside the service; the operators can find it in the log", "nil map"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := CodeOf(tt.err); got != tt.code {
				t.Errorf("CodeOf = %s, want %s", got, tt.code)
			}
			if got := Sentence(tt.err); got != tt.sentence {
				t.Errorf("Sentence = %q, want %q", got, tt.sentence)
			}
			if got := Plain(tt.err); got != tt.plain {
				t.Errorf("Plain = %q, want %q", got, tt.plain)
			}
			if got := Transient(tt.err); got != (tt.code == Unavailable) {
				t.Errorf("Transient = %t of %s", got, tt.code)
			}
		})
	}
	if err := fmt.Errorf("x: %w", New(Corrupt, "a.B", "y: %w", fs.ErrClosed)); !errors.Is(err, Corrupt) || !errors.Is(err, fs.ErrClosed) || errors.Is(err, Usage) {
		t.Errorf("%v is not Corrupt and closed, or is Usage", err)
	}
	if CodeOf(nil) != "" {
		t.Error("no error has a code")
	}
}
