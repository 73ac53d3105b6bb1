package emulated

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"testing"

	"cloud.google.com/go/pubsub/v2"
	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"

	"github.com/seltzer-soda/seltzer/pkg/uws"
)

// A manifest that is dropped into an owner's folder, an order that names one and an order that
// brings its rows become batches of their owners, each once, and who subscribes to job-ended
// learns how they ended. What can never be carried out makes no job.
func TestBatches(t *testing.T) {
	c := start(t)
	store := c.openJobs(t)
	client, err := pubsub.NewClient(t.Context(), c.project)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	mine := "projects/" + c.project + "/subscriptions/mine"
	if _, err := client.SubscriptionAdminClient.CreateSubscription(t.Context(), &pubsubpb.Subscription{Name: mine, Topic: "projects/" + c.project + "/topics/" + endedTopic}); err != nil {
		t.Fatal(err)
	}
	orders := client.Publisher(batchTopic)
	defer orders.Stop()
	order := func(text string) {
		t.Helper()
		if _, err := orders.Publish(t.Context(), &pubsub.Message{Data: []byte(text)}).Get(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	row := fmt.Sprintf("%s,150.1163,2.2058,16\n", starfield)
	put := func(object, rows string) {
		t.Helper()
		if err := c.Put(t.Context(), BatchBucket, object, []byte("id,ra,dec,stamp\n"+rows)); err != nil {
			t.Fatal(err)
		}
	}
	order(`{"rows": [], "manifest": "owners/ada/both.csv"}`)
	put("owners/ada/dropped.csv", row+row)
	put("owners/bob/kept/ordered.csv", row+row+row)
	order(`{"manifest": "owners/bob/kept/ordered.csv", "requestId": "1"}`)
	order(`{"manifest": "owners/bob/kept/ordered.csv", "requestId": "1"}`)
	order(fmt.Sprintf(`{"rows": [{"id": %q, "ra": 150.1163, "dec": 2.2058, "stamp": 16}], "requestId": "2"}`, starfield))

	want := map[string]int64{"ada": 2, "bob": 3, RowsOwner: 1} // rows by owner
	var mu sync.Mutex
	got := map[string]*uws.Job{}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	err = client.Subscriber(mine).Receive(ctx, func(_ context.Context, m *pubsub.Message) {
		m.Ack()
		mu.Lock()
		defer mu.Unlock()
		var ended struct{ Job, Phase string }
		if err := json.Unmarshal(m.Data, &ended); err != nil {
			t.Errorf("%q: %v", m.Data, err)
			return
		}
		j, err := store.Get(t.Context(), ended.Job)
		switch {
		case err != nil:
			t.Errorf("%s: %v", m.Data, err)
		case ended.Phase != string(j.Phase) || j.Phase != uws.Completed:
			t.Errorf("job-ended says %s, and the job is %s: %+v; want %s", m.Data, j.Phase, j.Failure, uws.Completed)
		case j.Tally.Rows != want[j.Owner] || j.Tally.Done != want[j.Owner]:
			t.Errorf("the batch of %q has %+v; want %d rows, all done", j.Owner, j.Tally, want[j.Owner])
		case got[j.Owner] != nil && got[j.Owner].ID != j.ID:
			t.Errorf("%q has the batches %s and %s; want one", j.Owner, got[j.Owner].ID, j.ID)
		}
		if j != nil {
			got[j.Owner] = j
		}
		if len(got) == len(want) {
			cancel()
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	for owner := range want {
		if got[owner] == nil {
			t.Errorf("job-ended told of no batch of %q", owner)
		}
	}
}
