"""The fields of orders and the forms they may have to be written in."""

from tau.sim.catalogue.measures import MEASURES
from tau.sim.catalogue.wordings import WORDINGS
from tau.sim.rules import Catalogue

CATALOGUE = Catalogue(MEASURES + WORDINGS)
