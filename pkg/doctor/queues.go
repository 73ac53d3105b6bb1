package doctor

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// aQueue is a topic and the deployment that takes its messages.
type aQueue struct {
	topic, worker, path string
	told                bool                       // by buckets, not by functions
	needed              func(context.Context) bool // nil: always
}

// Topics that no function publishes to, as terraform/ names them.
const (
	batchTopic   = "batch"   // manifests that were written, and orders of batches
	objectsTopic = "objects" // objects of archives that came and went; where an archive tells of them
)

func (d *deployment) queues() []aQueue {
	return []aQueue{
		{topic: d.agreed("SELTZER_TOPIC_INTERACTIVE"), worker: cutout, path: "/"},
		{topic: d.agreed("SELTZER_TOPIC_BULK"), worker: bulk, path: "/"},
		{topic: batchTopic, worker: bulk, path: "/batch", told: true},
		{topic: objectsTopic, worker: cutout, path: "/objects", told: true, needed: d.archivesTell},
	}
}

// unless has a look done only if a queue is needed.
func (q aQueue) unless(look func(context.Context) verdict) func(context.Context) verdict {
	return func(ctx context.Context) verdict {
		if q.needed != nil && !q.needed(ctx) {
			return ok("no archive tells of its objects, so there need be none")
		}
		return look(ctx)
	}
}

// topic is what Pub/Sub says of one. Source: Pub/Sub API v1, resource projects.topics.
type topic struct {
	Name                     string
	MessageRetentionDuration string
	err                      error
}

// subscription is what Pub/Sub says of one. Source: Pub/Sub API v1, resource
// projects.subscriptions.
type subscription struct {
	Topic      string
	State      string
	AckSeconds int `json:"ackDeadlineSeconds"`
	Push       struct {
		Endpoint string `json:"pushEndpoint"`
		Token    struct {
			Account  string `json:"serviceAccountEmail"`
			Audience string
		} `json:"oidcToken"`
	} `json:"pushConfig"`
	DeadLetter struct {
		Topic string `json:"deadLetterTopic"`
		Tries int    `json:"maxDeliveryAttempts"`
	} `json:"deadLetterPolicy"`
	Expiration *struct{ TTL string } `json:"expirationPolicy"`
	err        error
}

// apply mends what Terraform made otherwise.
const apply = "scripts/deploy ENV: its plan shows it; answer yes"

// minTries is below what the store's own retries need; it drives them, dead letters are a net.
const minTries = 50

// queueChecks look at topics, subscriptions and the sweep.
func (d *deployment) queueChecks() (all []check) {
	for _, q := range d.queues() {
		worker := d.functions[q.worker]
		for _, dead := range []bool{false, true} {
			name, path := q.topic, q.path
			if dead {
				name, path = q.topic+"-dead", "/dead-letter"
			}
			t := d.once(func(ctx context.Context) any {
				t := new(topic)
				t.err = d.get(ctx, pubsubAPI, d.topic(name).path, t)
				return t
			})
			s := d.once(func(ctx context.Context) any {
				s := new(subscription)
				s.err = d.get(ctx, pubsubAPI, d.subscription(name).path, s)
				return s
			})
			of := func(what string, look func(*subscription) verdict) {
				all = append(all, check{"subscription " + name + what, q.unless(func(ctx context.Context) verdict {
					s := s(ctx).(*subscription)
					if s.err != nil && what != "" {
						return unseen("the subscription %s could not be read", name)
					}
					return look(s)
				})})
			}
			all = append(all, check{"topic " + name, q.unless(func(ctx context.Context) verdict { return there(t(ctx).(*topic).err, "topic "+name) })})
			of("", func(s *subscription) verdict {
				if v := there(s.err, "subscription "+name); v.outcome != OK {
					return v
				}
				if s.State != "" && s.State != "ACTIVE" {
					return failed("see gcloud pubsub subscriptions describe "+name, "its state is %s", s.State)
				}
				return same(s.Topic, d.topic(name).path, apply)
			})
			of(": endpoint", func(s *subscription) verdict {
				if url := d.url(q.worker); url != "" {
					return same(s.Push.Endpoint, url+path, apply)
				}
				return unseen("the URL of %s is not known", q.worker)
			})
			of(": audience", func(s *subscription) verdict {
				return same(s.Push.Token.Audience, d.url(q.worker), apply)
			})
			of(": account", func(s *subscription) verdict {
				return same(s.Push.Token.Account, d.account("push"), apply)
			})
			of(": ack deadline", func(s *subscription) verdict {
				ack, limit := time.Duration(s.AckSeconds)*time.Second, time.Duration(worker.Service.Timeout)*time.Second
				if limit == 0 {
					return unseen("the time-out of %s is not known", q.worker)
				}
				if ack <= limit {
					return failed(apply, "Pub/Sub waits %v for %s, which may take %v: jobs are delivered twice", ack, q.worker, limit)
				}
				return ok("%v", ack)
			})
			of(": expiry", func(s *subscription) verdict {
				if s.Expiration == nil || s.Expiration.TTL != "" {
					return failed(apply, "it vanishes when nobody used it for a month, or as long as it says")
				}
				return ok("it stays")
			})
			if dead {
				continue
			}
			of(": dead letters", func(s *subscription) verdict {
				if s.DeadLetter.Topic != d.topic(name+"-dead").path {
					return failed(apply, "they go to %q; want %s", s.DeadLetter.Topic, d.topic(name+"-dead").path)
				}
				if s.DeadLetter.Tries < minTries {
					return failed(apply, "a message is one after %d tries; want 100", s.DeadLetter.Tries)
				}
				return ok("after %d tries", s.DeadLetter.Tries)
			})
		}
	}
	all = append(all, check{"topic of batches that ended", func(ctx context.Context) verdict {
		name := d.agreed("SELTZER_TOPIC_JOB_ENDED")
		if name == "" {
			return unseen("no function is told which it is")
		}
		return there(d.get(ctx, pubsubAPI, d.topic(name).path, new(topic)), "topic "+name)
	}})
	return append(all, d.sweepChecks()...)
}

// once looks at something at the first call.
func (d *deployment) once(look func(context.Context) any) func(context.Context) any {
	done := make(chan struct{}, 1)
	done <- struct{}{}
	var seen any
	return func(ctx context.Context) any {
		<-done
		defer func() { done <- struct{}{} }()
		if seen == nil {
			seen = look(context.WithoutCancel(ctx))
		}
		return seen
	}
}

// there looks at how something could be read.
func there(err error, what string) verdict {
	switch {
	case status(err) == http.StatusNotFound:
		return failed(apply, "there is no %s", what)
	case err != nil:
		return unseen("the %s could not be read: %v", what, err)
	}
	return ok("it is there")
}

// job is what Cloud Scheduler says of one. Source: Cloud Scheduler API v1, resource
// projects.locations.jobs.
type job struct {
	State    string
	Schedule string
	Target   struct {
		URI    string
		Method string `json:"httpMethod"`
		Token  struct {
			Account  string `json:"serviceAccountEmail"`
			Audience string
		} `json:"oidcToken"`
	} `json:"httpTarget"`
	Status struct {
		Code    int
		Message string
	}
	LastAttempt string `json:"lastAttemptTime"`
	err         error
}

// sweepChecks look at the sweep.
func (d *deployment) sweepChecks() (all []check) {
	sweep := d.once(func(ctx context.Context) any {
		j := new(job)
		j.err = d.get(ctx, schedulerAPI, d.in("jobs/sweep"), j)
		return j
	})
	of := func(what string, look func(*job) verdict) {
		all = append(all, check{"sweep" + what, func(ctx context.Context) verdict {
			j := sweep(ctx).(*job)
			if j.err != nil && what != "" {
				return unseen("the scheduler's job could not be read")
			}
			return look(j)
		}})
	}
	of("", func(j *job) verdict {
		if v := there(j.err, "job sweep of the scheduler"); v.outcome != OK {
			return v
		}
		if j.State != "ENABLED" {
			return failed(fmt.Sprintf("gcloud scheduler jobs resume sweep --location=%s", d.region), "it is %s: lost jobs do not go on, results are not deleted", strings.ToLower(j.State))
		}
		return ok("it is enabled")
	})
	of(": schedule", func(j *job) verdict { return same(j.Schedule, "* * * * *", apply) })
	of(": target", func(j *job) verdict {
		url := d.url(cutout)
		if url == "" {
			return unseen("the URL of cutout is not known")
		}
		return same(j.Target.Method+" "+j.Target.URI, "POST "+url+"/sweep", apply)
	})
	of(": audience", func(j *job) verdict {
		return same(j.Target.Token.Audience, d.url(cutout), apply)
	})
	of(": account", func(j *job) verdict {
		return same(j.Target.Token.Account, d.account("scheduler"), apply)
	})
	of(": last run", func(j *job) verdict {
		if j.Status.Code != 0 {
			return failed("read cutout's log; terraform/runbooks/sweep-missing.md", "the last one, at %s, failed: code %d %s", j.LastAttempt, j.Status.Code, j.Status.Message)
		}
		if j.LastAttempt == "" {
			return ok("there was none yet")
		}
		return ok("%s", j.LastAttempt)
	})
	return all
}
