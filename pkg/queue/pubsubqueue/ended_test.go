package pubsubqueue

import (
	"context"
	"errors"
	"maps"
	"testing"
	"time"

	"cloud.google.com/go/pubsub/v2"
	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"

	"github.com/seltzer-soda/seltzer/pkg/fault"
	"github.com/seltzer-soda/seltzer/pkg/outside"
	"github.com/seltzer-soda/seltzer/pkg/uws"
)

// Who subscribes learns which job has ended, and how.
func TestJobEnded(t *testing.T) {
	outside.PubSub(t)
	project := "test-" + uws.NewID()
	e, err := OpenEnded(t.Context(), project, "job-ended")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close() })
	if err := e.JobEnded(t.Context(), "j1", uws.Completed); !errors.Is(err, fault.Internal) {
		t.Errorf("without a topic: %v, want %s", err, fault.Internal)
	}
	client, err := pubsub.NewClient(t.Context(), project)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	topic, subscription := "projects/"+project+"/topics/job-ended", "projects/"+project+"/subscriptions/mine"
	_, err = client.TopicAdminClient.CreateTopic(t.Context(), &pubsubpb.Topic{Name: topic})
	if err == nil {
		_, err = client.SubscriptionAdminClient.CreateSubscription(t.Context(), &pubsubpb.Subscription{Name: subscription, Topic: topic})
	}
	if err == nil {
		err = e.JobEnded(t.Context(), "j1", uws.Completed)
	}
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var got *pubsub.Message
	if err := client.Subscriber(subscription).Receive(ctx, func(_ context.Context, m *pubsub.Message) {
		m.Ack()
		got = m
		cancel()
	}); err != nil {
		t.Fatal(err)
	}
	if got == nil || string(got.Data) != `{"job":"j1","phase":"COMPLETED"}` || !maps.Equal(got.Attributes, map[string]string{"job": "j1", "phase": "COMPLETED"}) {
		t.Errorf("received %+v", got)
	}
}
