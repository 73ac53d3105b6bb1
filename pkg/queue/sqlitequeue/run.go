package sqlitequeue

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"

	"github.com/seltzer-soda/seltzer/pkg/queue"
	"github.com/seltzer-soda/seltzer/pkg/sqlitedb"
	"github.com/seltzer-soda/seltzer/pkg/telemetry"
)

// Run delivers messages until ctx ends. Posts that are on their way then are waited for
// up to Config.Grace and given up after that; they are delivered again by the next
// Run. One Run at a time.
func (q *Queue) Run(ctx context.Context) error {
	q.running.Store(true)
	q.begin.Do(func() { close(q.started) })
	defer q.running.Store(false)
	client := q.config.Client
	if client == nil {
		transport := http.DefaultTransport.(*http.Transport).Clone()
		transport.Proxy = nil // the handlers are on this machine
		for _, l := range q.lanes {
			transport.MaxIdleConnsPerHost += l.slots
		}
		defer transport.CloseIdleConnections()
		client = &http.Client{
			Transport:     transport,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		}
	}
	posts, giveUp := context.WithCancel(context.WithoutCancel(ctx))
	defer giveUp()
	var dispatchers, deliveries sync.WaitGroup
	for _, l := range q.lanes {
		dispatchers.Go(func() {
			q.dispatch(ctx, l, func(m *message, free func()) {
				deliveries.Go(func() { q.deliver(posts, client, l, m, free) })
			})
		})
	}
	dispatchers.Wait()
	timer := time.AfterFunc(q.config.Grace, giveUp)
	defer timer.Stop()
	deliveries.Wait()
	return nil
}

// dispatch starts the delivery of each message of a lane when it is visible and a slot
// is free, and sleeps between.
func (q *Queue) dispatch(ctx context.Context, l *lane, start func(m *message, free func())) {
	slots := make(chan struct{}, l.slots)
	alarm := time.NewTimer(0)
	defer alarm.Stop()
	for {
		select {
		case slots <- struct{}{}:
		case <-ctx.Done():
			return
		}
		m := q.await(ctx, l, alarm)
		if m == nil {
			return
		}
		start(m, func() { <-slots })
	}
}

// await returns the lane's next message, or nil when ctx ends.
func (q *Queue) await(ctx context.Context, l *lane, alarm *time.Timer) *message {
	for ctx.Err() == nil {
		q.mu.Lock()
		m, wait := l.pop(time.Now())
		q.mu.Unlock()
		if m != nil {
			return m
		}
		var due <-chan time.Time
		if wait > 0 {
			alarm.Reset(wait)
			due = alarm.C
		}
		select {
		case <-l.wake:
		case <-due:
		case <-ctx.Done():
		}
	}
	return nil
}

// deliver posts a message once and settles it by the answer.
func (q *Queue) deliver(ctx context.Context, client *http.Client, l *lane, m *message, free func()) {
	dead := m.attempts >= q.config.MaxAttempts
	url := l.url
	if dead {
		url = q.config.DeadLetter
	}
	err := q.post(ctx, client, url, l, m)
	free() // the write that follows is not the endpoint's work
	switch {
	case err == nil:
		q.acknowledge(m)
	case ctx.Err() != nil: // the grace is over: not the endpoint's fault
		q.back(m, 0)
	default:
		q.refuse(m, dead, err)
	}
}

func (q *Queue) post(ctx context.Context, client *http.Client, url string, l *lane, m *message) error {
	attributes := map[string]string{"class": string(m.class)}
	if m.trace != "" {
		attributes[telemetry.ParentKey] = m.trace
	}
	body, err := json.Marshal(queue.Push{
		Message:         queue.Message{Data: []byte(m.job), MessageID: m.job, PublishTime: m.published, Attributes: attributes},
		Subscription:    "projects/local/subscriptions/" + string(l.class),
		DeliveryAttempt: m.attempts + 1,
	})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, q.config.AckDeadline)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/json")
	answer, err := client.Do(r)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	_, _ = io.CopyN(io.Discard, answer.Body, queue.MaxPush) // so that the connection can be used again
	switch answer.StatusCode {
	case http.StatusProcessing, http.StatusOK, http.StatusCreated, http.StatusAccepted, http.StatusNoContent: // as Pub/Sub
		return nil
	}
	return fmt.Errorf("%s answered %s", url, answer.Status)
}

// acknowledge deletes a message, unless it was published again while it was on its way.
func (q *Queue) acknowledge(m *message) {
	kept := false
	err := q.db.Write(context.Background(), func(ctx context.Context, tx *sqlitedb.Tx) error {
		q.mu.Lock()
		kept = m.again
		m.leaving = !kept
		q.mu.Unlock()
		if kept {
			return nil
		}
		tx.OnCommit(func() {
			q.mu.Lock()
			defer q.mu.Unlock()
			delete(q.messages, m.job)
		})
		_, err := tx.Exec(ctx, `DELETE FROM messages WHERE job = ?`, m.job)
		return err
	})
	switch {
	case err != nil:
		q.config.Logger.Error("a delivered message could not be deleted and will be delivered again", "job", m.job, "error", err)
		q.back(m, q.backoff(m.attempts))
	case kept:
		q.back(m, 0)
	}
}

// refuse counts a failed post and puts the message back in line, or drops it when its
// attempts are used up and nobody takes dead letters.
func (q *Queue) refuse(m *message, dead bool, cause error) {
	q.mu.Lock()
	m.attempts++
	attempts := m.attempts
	q.mu.Unlock()
	log := q.config.Logger.With("job", m.job, "class", m.class, "attempts", attempts, "error", cause)
	if attempts >= q.config.MaxAttempts && q.config.DeadLetter == "" {
		log.Error("a message is dropped: no attempt to deliver it succeeded")
		q.acknowledge(m)
		return
	}
	log.Warn("a message was not taken and will be delivered again")
	err := q.db.Write(context.Background(), func(ctx context.Context, tx *sqlitedb.Tx) error {
		_, err := tx.Exec(ctx, `UPDATE messages SET attempts = ? WHERE job = ?`, attempts, m.job)
		return err
	})
	if err != nil {
		log.Error("the attempts to deliver a message could not be counted in the file", "cause", err)
	}
	if attempts == q.config.MaxAttempts && !dead {
		q.back(m, 0) // to the dead letters at once
		return
	}
	q.back(m, q.backoff(attempts))
}

// back puts a message in line again after a delay.
func (q *Queue) back(m *message, delay time.Duration) {
	q.mu.Lock()
	defer q.mu.Unlock()
	m.visible = time.Now().Add(delay)
	q.lane(m.class).push(m)
}

// backoff returns the delay after the given number of failed attempts: MinBackoff,
// doubled each time, at most MaxBackoff, and of that a random part between half and
// all, so that what failed together does not come back together.
func (q *Queue) backoff(attempts int) time.Duration {
	d := q.config.MinBackoff
	for i := 1; i < attempts && d < q.config.MaxBackoff; i++ {
		d *= 2
	}
	d = min(d, q.config.MaxBackoff)
	return d/2 + rand.N(d/2+1) // #nosec G404 -- spreads retries
}
