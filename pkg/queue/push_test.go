package queue

import (
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/seltzer-soda/seltzer/pkg/fault"
)

// documented is the example of a wrapped push in Google's documentation,
// https://cloud.google.com/pubsub/docs/push#properties_of_a_push_subscription.
const documented = `{
    "message": {
        "attributes": { "key": "value" },
        "data": "SGVsbG8gQ2xvdWQgUHViL1N1YiEgSGVyZSBpcyBteSBtZXNzYWdlIQ==",
        "messageId": "2070443601311540",
        "message_id": "2070443601311540",
        "publishTime": "2021-02-26T19:13:55.749Z",
        "publish_time": "2021-02-26T19:13:55.749Z"
    },
    "subscription": "projects/myproject/subscriptions/mysubscription"
}`

func TestDecodePush(t *testing.T) {
	at := time.Date(2021, 2, 26, 19, 13, 55, 749e6, time.UTC)
	for _, tt := range []struct {
		name, body string
		want       Push
	}{
		{"as documented", documented, Push{
			Message: Message{Data: []byte("Hello Cloud Pub/Sub! Here is my message!"), Attributes: map[string]string{"key": "value"},
				MessageID: "2070443601311540", PublishTime: at},
			Subscription: "projects/myproject/subscriptions/mysubscription",
		}},
		{"with a dead-letter policy", `{"deliveryAttempt":5,"message":{"data":"ag==","messageId":"1","publishTime":"2021-02-26T19:13:55.749Z"},"subscription":"s"}`,
			Push{Message: Message{Data: []byte("j"), MessageID: "1", PublishTime: at}, Subscription: "s", DeliveryAttempt: 5}},
		{"snake case only", `{"delivery_attempt":2,"message":{"data":"ag==","message_id":"1","publish_time":"2021-02-26T19:13:55.749Z"}}`,
			Push{Message: Message{Data: []byte("j"), MessageID: "1", PublishTime: at}, DeliveryAttempt: 2}},
		{"as little as can be", `{"message":{"data":"ag=="}}`, Push{Message: Message{Data: []byte("j")}}},
		{"fields of a later day", `{"message":{"data":"ag==","orderingKey":"k","new":{}},"more":[1]}`, Push{Message: Message{Data: []byte("j")}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := DecodePush(strings.NewReader(tt.body))
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(&tt.want, got); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
			if got.Job() != string(tt.want.Message.Data) {
				t.Errorf("job %q, want %q", got.Job(), tt.want.Message.Data)
			}
		})
	}
}

func TestDecodePushRefuses(t *testing.T) {
	padding := strings.Repeat(" ", MaxPush)
	for name, body := range map[string]io.Reader{
		"nothing":                strings.NewReader(""),
		"no JSON":                strings.NewReader("job=1"),
		"an array":               strings.NewReader("[]"),
		"null":                   strings.NewReader("null"),
		"no message":             strings.NewReader(`{"subscription":"s"}`),
		"no data":                strings.NewReader(`{"message":{"attributes":{"job":"1"}}}`),
		"empty data":             strings.NewReader(`{"message":{"data":""}}`),
		"no base64":              strings.NewReader(`{"message":{"data":"*"}}`),
		"no instant":             strings.NewReader(`{"message":{"data":"ag==","publishTime":"yesterday"}}`),
		"two documents":          strings.NewReader(documented + documented),
		"too long":               strings.NewReader(documented + padding),
		"a connection that tore": iotest.TimeoutReader(iotest.OneByteReader(strings.NewReader(documented))),
	} {
		if p, err := DecodePush(body); !errors.Is(err, fault.Usage) {
			t.Errorf("%s: %+v, %v; want fault.Usage", name, p, err)
		}
	}
	if _, err := DecodePush(strings.NewReader(documented + padding[len(documented):])); err != nil {
		t.Errorf("a body of exactly MaxPush bytes: %v", err)
	}
}

// What can be read can be written and read again, and is the same.
func FuzzDecodePush(f *testing.F) {
	f.Add(documented)
	f.Add(`{"deliveryAttempt":5,"message":{"data":"ag==","message_id":"1","publish_time":"2021-02-26T19:13:55.749+05:30"}}`)
	f.Add(`{"MESSAGE":{"data":"ag==","attributes":{"\ud800":null}}}`)
	f.Add(`{"message":{"data":""}}`)
	f.Add("[")
	f.Fuzz(func(t *testing.T, body string) {
		first, err := DecodePush(strings.NewReader(body))
		if err != nil {
			if !errors.Is(err, fault.Usage) {
				t.Errorf("%v, want fault.Usage", err)
			}
			return
		}
		if first.Job() == "" {
			t.Error("a push without a job was taken")
		}
		text, err := json.Marshal(first)
		if err != nil {
			t.Fatal(err)
		}
		if len(text) > MaxPush {
			return // written longer than it was read, as < is
		}
		second, err := DecodePush(strings.NewReader(string(text)))
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		if d := cmp.Diff(first, second); d != "" {
			t.Errorf("read again it differs:\n%s", d)
		}
	})
}
