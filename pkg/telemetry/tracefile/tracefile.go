// Package tracefile keeps traces in a file, one span as one line of JSON, and prints them as
// tables for people. It is what one machine has in place of a service for traces.
//
// Instants are UTC to the nanosecond. A line holds no more than the fields of [Span].
package tracefile

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"sync"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/seltzer-soda/seltzer/pkg/fault"
	"github.com/seltzer-soda/seltzer/pkg/telemetry"
)

// Span is one line.
type Span struct {
	Trace      string            `json:"trace"`
	ID         string            `json:"span"`
	Parent     string            `json:"parent,omitempty"` // "", or of a span that another process may have written
	Name       string            `json:"name"`
	Start      time.Time         `json:"start"`
	End        time.Time         `json:"end"`
	Waits      bool              `json:"waits,omitempty"` // for a call, a commit or a disk
	Failed     bool              `json:"failed,omitempty"`
	Received   bool              `json:"received,omitempty"` // it is the work on a message
	Attributes map[string]string `json:"attributes,omitempty"`
}

// Writer writes spans as lines. It implements [sdktrace.SpanExporter].
type Writer struct {
	mu   sync.Mutex
	file *os.File
}

// Create opens a file for further lines, readable by its owner only; it is made if it is not
// there. The error is [fault.Usage].
func Create(name string) (*Writer, error) {
	f, err := os.OpenFile(name, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600) // #nosec G304 -- the operator names it
	if err != nil {
		return nil, fault.New(fault.Usage, "tracefile.Create", "the file of traces cannot be written: %w", err)
	}
	return &Writer{file: f}, nil
}

// ExportSpans implements [sdktrace.SpanExporter].
func (w *Writer) ExportSpans(_ context.Context, spans []sdktrace.ReadOnlySpan) error {
	var lines []byte
	for _, s := range spans {
		line, err := json.Marshal(spanOf(s))
		if err != nil {
			return err
		}
		lines = append(append(lines, line...), '\n')
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	_, err := w.file.Write(lines)
	return err
}

// Shutdown implements [sdktrace.SpanExporter].
func (w *Writer) Shutdown(context.Context) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.file.Close()
}

func spanOf(in sdktrace.ReadOnlySpan) Span {
	s := Span{
		Trace: in.SpanContext().TraceID().String(), ID: in.SpanContext().SpanID().String(), Name: in.Name(),
		Start: in.StartTime().UTC(), End: in.EndTime().UTC(), Failed: in.Status().Code == codes.Error,
		Received: in.SpanKind() == trace.SpanKindConsumer,
	}
	if p := in.Parent(); p.HasSpanID() {
		s.Parent = p.SpanID().String()
	}
	for _, a := range in.Attributes() {
		switch {
		case a.Key == telemetry.Waits && a.Value.Type() == attribute.BOOL:
			s.Waits = a.Value.AsBool()
		default:
			if s.Attributes == nil {
				s.Attributes = map[string]string{}
			}
			s.Attributes[string(a.Key)] = a.Value.String()
		}
	}
	return s
}

// maxLine is the size in bytes of the longest line that is read.
const maxLine = 1 << 20

// Read reads the spans of a file. A last line that was not written to its end is left out.
// The error is [fault.Corrupt] and names the line, or that of r.
func Read(r io.Reader) (spans []Span, err error) {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, maxLine)
	lines.Split(wholeLines)
	n := 1
	for ; lines.Scan(); n++ {
		var s Span
		if err := json.Unmarshal(lines.Bytes(), &s); err != nil {
			return nil, fault.New(fault.Corrupt, "tracefile.Read", "line %d is no span: %w", n, err)
		}
		if s.Trace == "" || s.ID == "" || s.End.Before(s.Start) {
			return nil, fault.New(fault.Corrupt, "tracefile.Read", "line %d is no span: want a trace, a span, and an end that is not before the start", n)
		}
		spans = append(spans, s)
	}
	if errors.Is(lines.Err(), bufio.ErrTooLong) {
		return nil, fault.New(fault.Corrupt, "tracefile.Read", "line %d is longer than %d bytes", n, maxLine)
	}
	return spans, lines.Err()
}

// wholeLines is [bufio.ScanLines] without a last line that has no end.
func wholeLines(data []byte, atEOF bool) (advance int, line []byte, err error) {
	if i := bytes.IndexByte(data, '\n'); i >= 0 {
		return i + 1, data[:i], nil
	}
	if atEOF {
		return len(data), nil, nil
	}
	return 0, nil, nil
}
