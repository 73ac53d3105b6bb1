package holdings

import (
	"log/slog"
	"net/http"

	"github.com/seltzer-soda/seltzer/pkg/archive"
	"github.com/seltzer-soda/seltzer/pkg/fault"
	"github.com/seltzer-soda/seltzer/pkg/queue"
)

// Notifications serves what a bucket tells of its objects, pushed by Pub/Sub: whatever came
// or went, the object is looked at as it is now, so that the order and the number of
// messages do not matter. ids says which datasets an object is. 204 acknowledges a message;
// 503 has it come again, because the archive or the store does not answer.
//
// Source: Google Cloud, "Pub/Sub notifications for Cloud Storage",
// https://cloud.google.com/storage/docs/pubsub-notifications.
func (x *Indexer) Notifications(ids func(bucket, object string) []string, log *slog.Logger) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost {
			w.Header().Set("Allow", http.MethodPost)
			http.Error(w, "want a POST", http.StatusMethodNotAllowed)
			return
		}
		p, err := queue.DecodePush(r.Body)
		if err != nil {
			log.ErrorContext(r.Context(), "message refused", "path", r.URL.Path, "error", err)
			http.Error(w, fault.Sentence(err), http.StatusBadRequest)
			return
		}
		said := p.Message.Attributes
		if archive.IsImage(said["objectId"]) {
			for _, id := range ids(said["bucketId"], said["objectId"]) {
				outcome, err := x.Refresh(r.Context(), id)
				switch {
				case fault.Transient(err):
					log.WarnContext(r.Context(), "not indexed", "id", id, "error", err)
					http.Error(w, fault.Sentence(err), http.StatusServiceUnavailable)
					return
				case err != nil:
					log.WarnContext(r.Context(), "not indexed", "id", id, "outcome", outcome, "error", err)
				default:
					log.InfoContext(r.Context(), "indexed", "id", id, "outcome", outcome, "event", said["eventType"])
				}
			}
		}
		w.WriteHeader(http.StatusNoContent)
	})
}
