#!/usr/bin/env bash
# Build regl-scatterplot.min.js again from the versions that package-lock.json pins. Needs npm.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp "$here"/package.json "$here"/package-lock.json "$here"/entry.js "$work"
cd "$work"
npm ci --ignore-scripts --no-audit --no-fund
npx --no-install esbuild entry.js --bundle --minify --format=iife --target=es2020 --outfile="$here/regl-scatterplot.min.js"
{
  echo "regl-scatterplot.min.js holds these libraries; each stands under its licence below."
  for folder in node_modules/{regl-scatterplot,regl,regl-line,pub-sub-es,dom-2d-camera,camera-2d-simple,gl-matrix,earcut,@flekschas/utils}; do
    printf '\n==== %s %s ====\n\n' "${folder#node_modules/}" "$(node -p "require('./$folder/package.json').version")"
    cat "$folder"/LICENSE*
  done
} >"$here/LICENSES.txt"
