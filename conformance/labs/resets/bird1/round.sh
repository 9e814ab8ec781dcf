# BIRD's part in a round: round.sh withdraw|announce KIND OLD NEW
set -e
case $1-$2 in
withdraw-*) birdc disable "block$3" ;;
announce-notification) birdc restart siskin1; birdc enable "block$4" ;;
announce-*) birdc enable "block$4" ;;
esac
