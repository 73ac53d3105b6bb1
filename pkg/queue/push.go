package queue

import (
	"encoding/json"
	"io"
	"time"

	"github.com/seltzer-soda/seltzer/pkg/fault"
	"github.com/seltzer-soda/seltzer/pkg/telemetry"
)

// MaxPush is the size in bytes of the largest push body that is read. Bodies of ours are
// a few hundred bytes.
const MaxPush = 64 << 10

// Push is the body of a Pub/Sub push request, wrapped form. Source: Google Cloud,
// "Push subscriptions", https://cloud.google.com/pubsub/docs/push.
type Push struct {
	Message         Message `json:"message"`
	Subscription    string  `json:"subscription"`
	DeliveryAttempt int     `json:"deliveryAttempt,omitempty"` // 0 where the sender does not count
}

// Message is the message in a push. Data is the id of a job; JSON carries it in base64.
type Message struct {
	Data        []byte            `json:"data"`
	Attributes  map[string]string `json:"attributes,omitempty"`
	MessageID   string            `json:"messageId"`
	PublishTime time.Time         `json:"publishTime,omitzero"`
}

// Job returns the id of the job that the message names.
func (p *Push) Job() string { return string(p.Message.Data) }

// Trace returns the traceparent of the trace that the message belongs to, or "".
func (p *Push) Trace() string { return p.Message.Attributes[telemetry.ParentKey] }

// DecodePush reads a push body of at most [MaxPush] bytes: wrapped, with the names of
// its fields in camel or snake case (Pub/Sub sends both). The error is [fault.Usage].
func DecodePush(r io.Reader) (*Push, error) { return DecodePushWithin(r, MaxPush) }

// DecodePushWithin is [DecodePush] for a body of at most limit bytes.
func DecodePushWithin(r io.Reader, limit int64) (*Push, error) {
	body, err := io.ReadAll(io.LimitReader(r, limit+1))
	switch {
	case err != nil:
		return nil, fault.New(fault.Usage, "queue.DecodePush", "the push body cannot be read: %w", err)
	case int64(len(body)) > limit:
		return nil, fault.New(fault.Usage, "queue.DecodePush", "the push body is larger than %d bytes", limit)
	}
	var in struct {
		Message struct {
			Message
			SnakeID   string    `json:"message_id"`
			SnakeTime time.Time `json:"publish_time"`
		} `json:"message"`
		Subscription    string `json:"subscription"`
		DeliveryAttempt int    `json:"deliveryAttempt"`
		SnakeAttempt    int    `json:"delivery_attempt"`
	}
	if err := json.Unmarshal(body, &in); err != nil {
		return nil, fault.New(fault.Usage, "queue.DecodePush", "the push body is no JSON of a Pub/Sub message: %w", err)
	}
	p := &Push{Message: in.Message.Message, Subscription: in.Subscription, DeliveryAttempt: max(in.DeliveryAttempt, in.SnakeAttempt)}
	if p.Message.MessageID == "" {
		p.Message.MessageID = in.Message.SnakeID
	}
	if p.Message.PublishTime.IsZero() {
		p.Message.PublishTime = in.Message.SnakeTime
	}
	if len(p.Message.Data) == 0 {
		return nil, fault.New(fault.Usage, "queue.DecodePush", "the push body holds no message with data; want the id of a job in message.data")
	}
	return p, nil
}
