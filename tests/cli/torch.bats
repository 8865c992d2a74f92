# What PyTorch makes of a run's files.
load common

@test "the README's lines give PyTorch the accuracy that eval tells" {
    local python='' data=/usr/share/datasets/fashion-mnist
    for each in python3 /usr/bin/python3; do
        ! $each -c 'import torch' 2>/dev/null || python=$each
    done
    [ -n "$python" ] || skip 'no Python with PyTorch; `sh tests/setup.sh pytorch` installs it'
    [ -d $data ] || skip 'no Fashion-MNIST'
    good train "$(tree assets/nets/mlp.net)" --data fashion-mnist --limit 2000 --epochs 2 --out runs/first
    good eval runs/first --json
    $python "$(tree tests/cli/readme_torch.py)" "$(tree README.md)" $data >torch.json
    # a sum in another order may turn one picture in a thousand
    [ "$(cat - torch.json <<<"$output" |
        json 'abs(d[1][0] - d[0]["test_accuracy"]) <= 0.001 and d[1][0] > 0.5')" = True ]
    # names are Fashion-MNIST's; and scaling is not for nothing
    [ "$(json 'd[0][1] < d[0][0] - 0.1, d[0][2][0], d[0][2][9]' <torch.json)" = "(True, 'T-shirt/top', 'Ankle boot')" ]
}
