package telemetry

import "go.opentelemetry.io/otel/propagation"

// ParentKey is the name under which a traceparent travels: a header of HTTP, an attribute of
// a message.
const ParentKey = "traceparent"

var w3c propagation.TraceContext

// carrier holds a traceparent, and takes nothing else: the state that a stranger may send
// beside it is not for our messages.
type carrier map[string]string

// Get implements [propagation.TextMapCarrier].
func (c carrier) Get(key string) string { return c[key] }

// Set implements [propagation.TextMapCarrier].
func (c carrier) Set(key, value string) {
	if key == ParentKey {
		c[key] = value
	}
}

// Keys implements [propagation.TextMapCarrier].
func (c carrier) Keys() []string { return []string{ParentKey} }
