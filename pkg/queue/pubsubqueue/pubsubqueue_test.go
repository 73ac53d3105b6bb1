package pubsubqueue

import (
	"context"
	"errors"
	"testing"
	"time"

	"cloud.google.com/go/pubsub/v2"
	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/seltzer-soda/seltzer/pkg/fault"
	"github.com/seltzer-soda/seltzer/pkg/outside"
	"github.com/seltzer-soda/seltzer/pkg/queue"
	"github.com/seltzer-soda/seltzer/pkg/queue/queuetest"
	"github.com/seltzer-soda/seltzer/pkg/uws"
)

func TestContract(t *testing.T) {
	outside.PubSub(t)
	timings := queuetest.PubSub
	timings.SkipSlow = testing.Short()
	queuetest.Run(t, timings, func(t *testing.T, e queuetest.Endpoints) queue.Publisher {
		project := "test-" + uws.NewID()
		deploy(t, project, e)
		return open(t, project)
	})
}

func open(t *testing.T, project string) *Queue {
	t.Helper()
	q, err := Open(t.Context(), project, map[uws.Class]string{uws.Interactive: "interactive", uws.Bulk: "bulk"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { q.Close() })
	return q
}

// deploy makes the topics and push subscriptions that a deployment has.
func deploy(t *testing.T, project string, e queuetest.Endpoints) {
	t.Helper()
	client, err := pubsub.NewClient(t.Context(), project)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	topic := func(name string) string { return "projects/" + project + "/topics/" + name }
	for _, name := range []string{"interactive", "bulk", "dead-letter"} {
		if _, err := client.TopicAdminClient.CreateTopic(t.Context(), &pubsubpb.Topic{Name: topic(name)}); err != nil {
			t.Fatal(err)
		}
	}
	for name, endpoint := range map[string]string{"interactive": e.Interactive, "bulk": e.Bulk, "dead-letter": e.DeadLetter} {
		s := &pubsubpb.Subscription{
			Name: "projects/" + project + "/subscriptions/" + name, Topic: topic(name),
			PushConfig:         &pubsubpb.PushConfig{PushEndpoint: endpoint},
			AckDeadlineSeconds: int32(e.AckDeadline / time.Second),
			RetryPolicy:        &pubsubpb.RetryPolicy{MinimumBackoff: durationpb.New(e.MinBackoff), MaximumBackoff: durationpb.New(e.MaxBackoff)},
		}
		if name != "dead-letter" {
			s.DeadLetterPolicy = &pubsubpb.DeadLetterPolicy{DeadLetterTopic: topic("dead-letter"), MaxDeliveryAttempts: int32(e.MaxAttempts)}
		}
		if _, err := client.SubscriptionAdminClient.CreateSubscription(t.Context(), s); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() { remove(t, project) })
}

// remove takes the subscriptions away, so that the emulator posts nothing to what has ended.
func remove(t *testing.T, project string) {
	ctx := context.WithoutCancel(t.Context())
	client, err := pubsub.NewClient(ctx, project)
	if err != nil {
		t.Error(err)
		return
	}
	defer client.Close()
	for _, name := range []string{"interactive", "bulk", "dead-letter"} {
		s := &pubsubpb.DeleteSubscriptionRequest{Subscription: "projects/" + project + "/subscriptions/" + name}
		if err := client.SubscriptionAdminClient.DeleteSubscription(ctx, s); err != nil {
			t.Error(err)
		}
	}
}

func TestTopicsThatAreNotThere(t *testing.T) {
	outside.PubSub(t)
	if _, err := Open(t.Context(), "p", map[uws.Class]string{uws.Interactive: "interactive"}); !errors.Is(err, fault.Usage) {
		t.Errorf("Open without a topic for bulk: %v, want %s", err, fault.Usage)
	}
	q := open(t, "test-"+uws.NewID())
	if err := q.Check(t.Context()); !errors.Is(err, fault.Unavailable) {
		t.Errorf("Check: %v, want %s", err, fault.Unavailable)
	}
	if err := q.Publish(t.Context(), uws.Bulk, uws.NewID()); !errors.Is(err, fault.Internal) {
		t.Errorf("Publish: %v, want %s: asking again does not make the topic", err, fault.Internal)
	}
}

// A queue that cannot be reached says so within the caller's time.
func TestQueueThatIsDown(t *testing.T) {
	t.Setenv("PUBSUB_EMULATOR_HOST", "127.0.0.1:1")
	q := open(t, "p")
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	began := time.Now()
	if err := q.Publish(ctx, uws.Bulk, uws.NewID()); !errors.Is(err, fault.Unavailable) {
		t.Errorf("Publish: %v, want %s", err, fault.Unavailable)
	}
	if err := q.Check(ctx); !errors.Is(err, fault.Unavailable) {
		t.Errorf("Check: %v, want %s", err, fault.Unavailable)
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("it took %v; want no longer than the caller waits", took)
	}
}
