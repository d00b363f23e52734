"""The labelling page: records, the tasks to answer, and a server between browser and ledger."""

from allrounder.labeling.people import NAME as PEOPLE
from allrounder.labeling.people import People, Person
from allrounder.labeling.serving import PORT, Ready, serve

__all__ = ["PEOPLE", "PORT", "People", "Person", "Ready", "serve"]
