// Package signer registers the function signer, which signs the URLs of results.
package signer

import (
	"net/http"

	"github.com/GoogleCloudPlatform/functions-framework-go/functions"

	"github.com/seltzer-soda/seltzer/pkg/app/local"
)

func init() {
	functions.HTTP("signer", local.Function(func(s *local.Service) http.Handler { return s.Signer }))
}
