"""A PyTorch loop with a loss that glojax has written: a network of two layers learns digits in a few seconds.

glojax export baikal --to torch > examples/baikal_torch.py
python examples/torch_loop.py
"""

import torch
from baikal_torch import loss
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split


def main() -> None:
    """Train, and print the accuracy."""
    images, labels = load_digits(return_X_y=True)
    images, test_images, labels, test_labels = map(
        torch.tensor, train_test_split((images / 16).astype("float32"), labels, test_size=0.2, random_state=0)
    )
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(64, 64), torch.nn.ReLU(), torch.nn.Linear(64, 10))
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    for batch in torch.randint(len(labels), (200, 64)):
        optimizer.zero_grad()
        # was: torch.nn.functional.cross_entropy(model(images[batch]), labels[batch])
        loss(model(images[batch]), labels[batch]).mean().backward()
        optimizer.step()
    accuracy = (model(test_images).argmax(dim=-1) == test_labels).double().mean()
    print(f"test accuracy: {accuracy:.3f}")


if __name__ == "__main__":
    main()
