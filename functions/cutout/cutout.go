// Package cutout registers the function cutout, which takes the messages of the queue and does the work.
package cutout

import (
	"net/http"

	"github.com/GoogleCloudPlatform/functions-framework-go/functions"

	"github.com/seltzer-soda/seltzer/pkg/app/local"
)

func init() {
	functions.HTTP("cutout", local.Function(func(s *local.Service) http.Handler { return s.Cutout }))
}
