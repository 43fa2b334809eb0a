#!/usr/bin/env bash
# Install a browser for the browser tests where that is ours to do: on Debian, as root, when there is none.
# Never fails: without a browser the tests say that they were skipped.
set -uo pipefail

for name in google-chrome google-chrome-stable chromium chromium-browser; do
    if command -v "$name" > /dev/null; then exit 0; fi
done
if [ "$(id -u)" = 0 ] && [ -f /etc/debian_version ]; then
    echo "Installing chromium for the browser tests …"
    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium \
        > /dev/null || echo "Could not install chromium; the browser tests will be skipped."
else
    echo "No Chrome or Chromium on the path; unless there is one elsewhere, the browser tests will be skipped."
fi
exit 0
