// Package soda registers the function soda: SODA, UWS and VOSI over HTTP.
package soda

import (
	"net/http"

	"github.com/GoogleCloudPlatform/functions-framework-go/functions"

	"github.com/seltzer-soda/seltzer/pkg/app/local"
)

func init() {
	functions.HTTP("soda", local.Function(func(s *local.Service) http.Handler { return s.Front }))
}
